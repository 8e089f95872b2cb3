#include "master/loop/evloop.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

#include "os/clock.h"

struct evloop {
        struct ev_loop *ev;
};

struct evloop_watch {
        ev_io io;
        struct evloop *loop;
        evloop_callback callback;
        void *context;
};

struct evloop_timer {
        ev_timer timer;
        struct evloop *loop;
        evloop_callback callback;
        void *context;
};

int evloop_new(struct evloop **ret)
{
        struct evloop *loop = calloc(1, sizeof(*loop));

        if (!loop)
                return -ENOMEM;
        /* NOENV: the environment must not choose another back-end. NOSIGMASK: libev must not change the signal mask. */
        loop->ev = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOSIGMASK | EVBACKEND_EPOLL);
        if (!loop->ev) {
                free(loop);
                return -ENOMEM;
        }
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
        (void)events;
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
        ev_io_start(loop->ev, &watch->io);
        *ret = watch;
        return 0;
}

void evloop_watch_for_writing(struct evloop_watch *watch)
{
        ev_io_stop(watch->loop->ev, &watch->io);
        ev_io_set(&watch->io, watch->io.fd, EV_WRITE);
        ev_io_start(watch->loop->ev, &watch->io);
}

void evloop_watch_pause(struct evloop_watch *watch)
{
        ev_io_stop(watch->loop->ev, &watch->io);
}

void evloop_watch_resume(struct evloop_watch *watch)
{
        ev_io_start(watch->loop->ev, &watch->io);
}

void evloop_watch_free(struct evloop_watch *watch)
{
        if (!watch)
                return;
        ev_io_stop(watch->loop->ev, &watch->io);
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
