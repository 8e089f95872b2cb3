#include "master/loop/evloop.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/reserve.h"

/* What libev may need when the system has no memory: the arrays of 65,536 descriptors and what they were copied from. A
 * mapping that is not touched takes no memory. */
#define RESERVE_BYTES (4U << 20)
#define RETRY_S 0.1
#define ERROR_PAUSE_MS 10

struct evloop {
        struct ev_loop *ev;
        struct evloop_watch *failed; /* those that epoll(7) did not take: tried again by the timer */
        ev_timer retry;
        ev_timer look;
        bool failure_told;
};

struct evloop_watch {
        ev_io io;
        struct evloop *loop;
        evloop_callback callback;
        void *context;
        struct evloop_watch *next_failed, **failed_link; /* NULL: it is not in the list */
};

struct evloop_timer {
        ev_timer timer;
        struct evloop *loop;
        evloop_callback callback;
        void *context;
};

static void *allocate(void *memory, long size)
{
        return reserve_realloc(memory, (size_t)size);
}

/* libev would end the process. It says "(libev) epoll_wait" and its kind, and tries again at once, without end. Without
 * its descriptor the loop can do nothing else, so it waits a moment instead of filling the log. */
static void on_system_error(const char *text)
{
        log_error("%s: %s", text, strerror(errno));
        poll(NULL, 0, ERROR_PAUSE_MS);
}

static void do_nothing(struct ev_loop *ev, ev_timer *timer, int events)
{
        (void)ev;
        (void)timer;
        (void)events;
}

/* libev calls epoll_ctl(2) before it waits, and reports its failure afterwards. The timer makes that wait a short
 * one. Being set anew, the descriptor is passed to epoll_ctl(2) in any case: libev passes only changes since its last
 * look, and if that one has failed, a watch that is resumed in the same turn is no change. */
static void start(struct evloop_watch *watch)
{
        if (ev_is_active(&watch->io))
                return;
        ev_io_set(&watch->io, watch->io.fd, watch->io.events & (EV_READ | EV_WRITE));
        ev_io_start(watch->loop->ev, &watch->io);
        ev_timer_start(watch->loop->ev, &watch->loop->look);
}

static void unlist(struct evloop_watch *watch)
{
        if (!watch->failed_link)
                return;
        *watch->failed_link = watch->next_failed;
        if (watch->next_failed)
                watch->next_failed->failed_link = watch->failed_link;
        watch->failed_link = NULL;
}

/* epoll_ctl(2) failed, and libev has stopped the watch: without it we would be deaf to signals, commands or workers. */
static void note_failure(struct evloop_watch *watch)
{
        struct evloop *loop = watch->loop;

        if (watch->failed_link)
                return;
        if (!loop->failure_told)
                log_warning("cannot watch descriptor %d: trying again until it works", watch->io.fd);
        loop->failure_told = true;
        watch->next_failed = loop->failed;
        if (loop->failed)
                loop->failed->failed_link = &watch->next_failed;
        watch->failed_link = &loop->failed;
        loop->failed = watch;
        ev_timer_start(loop->ev, &loop->retry);
}

/* What fails again comes back to note_failure(), in the next turn. The timer ends with nothing to try again. */
static void on_retry(struct ev_loop *ev, ev_timer *timer, int events)
{
        struct evloop *loop = timer->data;

        (void)events;
        if (!loop->failed) {
                ev_timer_stop(ev, timer);
                loop->failure_told = false;
        }
        while (loop->failed) {
                struct evloop_watch *watch = loop->failed;
                unlist(watch);
                start(watch);
        }
}

int evloop_new(struct evloop **ret)
{
        struct evloop *loop = calloc(1, sizeof(*loop));

        if (!loop)
                return -ENOMEM;
        int r = reserve_open(RESERVE_BYTES);
        if (r < 0) {
                free(loop);
                return r;
        }
        ev_set_allocator(allocate);
        ev_set_syserr_cb(on_system_error);
        /* NOENV: the environment must not choose another back-end. NOSIGMASK: libev must not change the signal mask. */
        errno = ENOMEM; /* which libev does not set */
        loop->ev = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOSIGMASK | EVBACKEND_EPOLL);
        if (!loop->ev) {
                r = -errno;
                free(loop);
                return r;
        }
        ev_timer_init(&loop->retry, on_retry, RETRY_S, RETRY_S);
        ev_timer_init(&loop->look, do_nothing, 0., 0.);
        loop->retry.data = loop;
        *ret = loop;
        return 0;
}

void evloop_run(struct evloop *loop)
{
        ev_run(loop->ev, 0);
}

void evloop_stop(struct evloop *loop)
{
        ev_break(loop->ev, EVBREAK_ALL);
}

static void on_io(struct ev_loop *ev, ev_io *io, int events)
{
        struct evloop_watch *watch = io->data;

        (void)ev;
        if (events & EV_ERROR)
                note_failure(watch);
        else
                watch->callback(watch->context);
}

int evloop_watch_new(struct evloop *loop, int fd, evloop_callback callback, void *context, struct evloop_watch **ret)
{
        struct evloop_watch *watch = calloc(1, sizeof(*watch));

        if (!watch)
                return -ENOMEM;
        *watch = (struct evloop_watch){.loop = loop, .callback = callback, .context = context};
        ev_io_init(&watch->io, on_io, fd, EV_READ);
        watch->io.data = watch;
        start(watch);
        *ret = watch;
        return 0;
}

void evloop_watch_for_writing(struct evloop_watch *watch)
{
        evloop_watch_pause(watch);
        ev_io_set(&watch->io, watch->io.fd, EV_WRITE);
        start(watch);
}

void evloop_watch_pause(struct evloop_watch *watch)
{
        unlist(watch);
        ev_io_stop(watch->loop->ev, &watch->io);
}

void evloop_watch_resume(struct evloop_watch *watch)
{
        unlist(watch);
        start(watch);
}

void evloop_watch_free(struct evloop_watch *watch)
{
        if (!watch)
                return;
        evloop_watch_pause(watch);
        free(watch);
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
        struct evloop_timer *owner = timer->data;

        (void)ev;
        (void)events;
        owner->callback(owner->context);
}

int evloop_timer_new(struct evloop *loop, evloop_callback callback, void *context, struct evloop_timer **ret)
{
        struct evloop_timer *timer = calloc(1, sizeof(*timer));

        if (!timer)
                return -ENOMEM;
        *timer = (struct evloop_timer){.loop = loop, .callback = callback, .context = context};
        ev_timer_init(&timer->timer, on_timer, 0., 0.);
        timer->timer.data = timer;
        *ret = timer;
        return 0;
}

void evloop_timer_set(struct evloop_timer *timer, uint64_t at_ms)
{
        uint64_t now_ms = clock_now_ms();
        struct ev_loop *ev = timer->loop->ev;

        ev_timer_stop(ev, &timer->timer);
        /* libev counts from the start of the turn, which may be long ago. */
        ev_now_update(ev);
        ev_timer_set(&timer->timer, at_ms > now_ms ? (double)(at_ms - now_ms) / 1000. : 0., 0.);
        ev_timer_start(ev, &timer->timer);
}

void evloop_timer_unset(struct evloop_timer *timer)
{
        ev_timer_stop(timer->loop->ev, &timer->timer);
}

void evloop_timer_free(struct evloop_timer *timer)
{
        if (!timer)
                return;
        evloop_timer_unset(timer);
        free(timer);
}

void evloop_free(struct evloop *loop)
{
        if (!loop)
                return;
        ev_loop_destroy(loop->ev);
        free(loop);
}
