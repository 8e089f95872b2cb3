#include "master/loop/reaper.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/loop/evloop.h"
#include "os/clock.h"
#include "os/process/signals.h"

#define KEPT_MAX 128

/* Whoever may signal our children can stop and continue them as fast as we look, and faster. */
#define STOPS_AT_ONCE 64
#define STOPS_AGAIN_MS 10

/* A signal that could not be sent is sent again after this, and then after twice as long, … */
#define SIGNALS_AGAIN_MS 50
#define SIGNALS_AGAIN_MAX_MS 10000

struct child {
        pid_t pid;
        reaper_callback callback;
        reaper_stop_callback on_stop; /* NULL: not asked for */
        void *context;
        uint64_t unsent; /* a bit for each signal */
};

/* The status of a child that was not registered when it was collected. */
struct kept {
        struct child child; /* the callback is NULL until a late registration */
        int status;
        struct rusage usage;
        uint64_t collected_ms;
};

struct reaper {
        struct child *children; /* ordered by pid */
        size_t count, room;
        pid_t ended; /* a child that had ended and was not collected at the last reaper_is_behind(); 0: none */
        unsigned launches;
        struct kept kept[KEPT_MAX]; /* oldest first */
        size_t kept_count;
        bool overflow_told;               /* the overflow was logged during the present launches */
        struct evloop_timer *timer;       /* delivers kept statuses that were asked for */
        struct evloop_timer *stops_timer; /* the next look at stops and continuations */
        struct evloop_timer *signals_timer;
        uint64_t signals_delay_ms; /* 0: nothing is unsent */
};

/* The place of the first child whose pid is not smaller. */
static size_t place_of(const struct reaper *reaper, pid_t pid)
{
        size_t low = 0, high = reaper->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (reaper->children[middle].pid < pid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct child *find(const struct reaper *reaper, pid_t pid)
{
        size_t at = place_of(reaper, pid);

        return at < reaper->count && reaper->children[at].pid == pid ? &reaper->children[at] : NULL;
}

static int make_room(struct reaper *reaper, size_t more)
{
        size_t room = MAX_OF(reaper->room, 16U);

        while (room < reaper->count + more)
                room *= 2;
        if (room == reaper->room)
                return 0;
        struct child *children = reallocarray(reaper->children, room, sizeof(*children));
        if (!children)
                return -ENOMEM;
        reaper->children = children;
        reaper->room = room;
        return 0;
}

static void drop(struct reaper *reaper, size_t at)
{
        memmove(&reaper->kept[at], &reaper->kept[at + 1], (--reaper->kept_count - at) * sizeof(*reaper->kept));
}

/* Restart at the front after each delivery, because a callback may change what is kept. */
static void deliver(struct reaper *reaper)
{
        for (size_t at = 0; at < reaper->kept_count;) {
                if (!reaper->kept[at].child.callback) {
                        at++;
                        continue;
                }
                const struct kept kept = reaper->kept[at];
                drop(reaper, at);
                kept.child.callback(kept.child.context, kept.child.pid, kept.status, &kept.usage);
                at = 0;
        }
}

static void on_timer(void *context)
{
        deliver(context);
}

/* After a look that found any, no stop wakes us until the next one. */
static void collect_stops(struct reaper *reaper)
{
        siginfo_t info = {0};
        unsigned found = 0;

        while (found < STOPS_AT_ONCE) {
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED | WNOHANG) < 0 || info.si_pid == 0)
                        break;
                found++;
                const struct child *child = find(reaper, info.si_pid);
                if (child && child->on_stop)
                        child->on_stop(child->context, info.si_code != CLD_CONTINUED);
        }
        if (found == 0)
                return;
        signals_set_child_stops(false);
        evloop_timer_set(reaper->stops_timer, clock_now_ms() + STOPS_AGAIN_MS);
}

static void on_stops_timer(void *context)
{
        signals_set_child_stops(true); /* before the look, so that no stop is missed */
        collect_stops(context);
}

/* 0 or -errno of kill(2). What fails is sent again: an order that is not heard would be waited for without end. */
static int send_signal(struct reaper *reaper, struct child *child, int number)
{
        const uint64_t bit = (uint64_t)1 << number;

        if (kill(child->pid, number) == 0) {
                child->unsent &= ~bit;
                return 0;
        }
        int r = -errno;
        if (r == -ESRCH || number == 0)
                return r;
        if (!child->unsent)
                log_warning("cannot signal process %d: %s; trying again", (int)child->pid, strerror(-r));
        child->unsent |= bit;
        if (reaper->signals_delay_ms == 0) {
                reaper->signals_delay_ms = SIGNALS_AGAIN_MS;
                evloop_timer_set(reaper->signals_timer, clock_now_ms() + reaper->signals_delay_ms);
        }
        return r;
}

static void on_signals_timer(void *context)
{
        struct reaper *reaper = context;
        bool is_done = true;

        for (size_t i = 0; i < reaper->count; i++) {
                struct child *child = &reaper->children[i];
                for (int number = 1; child->unsent >> number; number++)
                        if (child->unsent >> number & 1)
                                send_signal(reaper, child, number);
                is_done = is_done && !child->unsent;
        }
        reaper->signals_delay_ms = is_done ? 0 : MIN_OF(reaper->signals_delay_ms * 2, SIGNALS_AGAIN_MAX_MS);
        if (!is_done)
                evloop_timer_set(reaper->signals_timer, clock_now_ms() + reaper->signals_delay_ms);
}

int reaper_new(struct evloop *loop, struct reaper **ret)
{
        struct reaper *reaper = calloc(1, sizeof(*reaper));

        if (!reaper)
                return -ENOMEM;
        int r = evloop_timer_new(loop, on_timer, reaper, &reaper->timer);
        if (r == 0)
                r = evloop_timer_new(loop, on_stops_timer, reaper, &reaper->stops_timer);
        if (r == 0)
                r = evloop_timer_new(loop, on_signals_timer, reaper, &reaper->signals_timer);
        if (r < 0) {
                reaper_free(reaper);
                return r;
        }
        *ret = reaper;
        return 0;
}

int reaper_begin_launch(struct reaper *reaper)
{
        int r = make_room(reaper, reaper->launches + 1);

        reaper->launches += r == 0;
        return r;
}

void reaper_end_launch(struct reaper *reaper)
{
        assert(reaper->launches > 0);
        if (--reaper->launches > 0)
                return;
        for (size_t at = reaper->kept_count; at-- > 0;)
                if (!reaper->kept[at].child.callback)
                        drop(reaper, at);
        reaper->overflow_told = false;
}

int reaper_add(struct reaper *reaper, pid_t pid, reaper_callback callback, void *context)
{
        size_t at = place_of(reaper, pid);

        if (find(reaper, pid))
                return -EEXIST;
        int r = make_room(reaper, 1);
        if (r < 0)
                return r;
        memmove(&reaper->children[at + 1], &reaper->children[at], (reaper->count++ - at) * sizeof(*reaper->children));
        reaper->children[at] = (struct child){.pid = pid, .callback = callback, .context = context};
        return 0;
}

/* True if `pid` is our child, running or ended but not collected. */
static bool is_child(pid_t pid)
{
        siginfo_t info;

        return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Find the oldest matching status, because launches are mostly answered in their order. A child that was collected
 * before the launch began is not its child. */
static struct kept *find_kept(struct reaper *reaper, pid_t pid, uint64_t launched_ms)
{
        for (size_t at = 0; at < reaper->kept_count; at++) {
                struct kept *kept = &reaper->kept[at];
                if (kept->child.pid == pid && !kept->child.callback && kept->collected_ms >= launched_ms)
                        return kept;
        }
        return NULL;
}

int reaper_add_late(struct reaper *reaper, pid_t pid, uint64_t launched_ms, reaper_callback callback, void *context)
{
        bool is_registered = find(reaper, pid);

        /* An unregistered child that was not collected is preferred to a kept status: if the pid is in use again, the
         * launch of the earlier child was probably given up. */
        if (!is_registered && is_child(pid))
                return reaper_add(reaper, pid, callback, context);
        struct kept *kept = find_kept(reaper, pid, launched_ms);
        if (!kept)
                return is_registered ? -EEXIST : -ECHILD;
        kept->child.callback = callback;
        kept->child.context = context;
        evloop_timer_set(reaper->timer, 0);
        return 0;
}

int reaper_move(struct reaper *reaper, pid_t pid, const void *context, reaper_callback callback, void *new_context)
{
        struct child *child = find(reaper, pid);

        if (!child || child->context != context)
                return -ESRCH;
        child->callback = callback;
        child->context = new_context;
        child->on_stop = NULL;
        return 0;
}

bool reaper_knows(const struct reaper *reaper, pid_t pid)
{
        return find(reaper, pid);
}

void reaper_expect_stops(struct reaper *reaper, pid_t pid, reaper_stop_callback callback)
{
        struct child *child = find(reaper, pid);

        if (child)
                child->on_stop = callback;
}

int reaper_kill(struct reaper *reaper, pid_t pid, const void *context, int signal_number)
{
        struct child *child = find(reaper, pid);

        if (!child || child->context != context)
                return -ESRCH;
        return send_signal(reaper, child, signal_number);
}

int reaper_kill_group(struct reaper *reaper, pid_t pid, const void *context, int signal_number)
{
        int r = reaper_kill(reaper, pid, context, 0);

        /* While it is not reaped, no other group can have its number. */
        return r < 0 || kill(-pid, signal_number) == 0 ? r : reaper_kill(reaper, pid, context, signal_number);
}

/* When the list is full, the oldest status is dropped. It is never one that was asked for: those are delivered
 * before. */
static void keep(struct reaper *reaper, pid_t pid, int status, const struct rusage *usage)
{
        if (reaper->kept_count == KEPT_MAX) {
                if (!reaper->overflow_told)
                        log_warning("more than %d unknown children have ended while workers are launched: the oldest "
                                    "are forgotten",
                                    KEPT_MAX);
                reaper->overflow_told = true;
                drop(reaper, 0);
        }
        reaper->kept[reaper->kept_count++] =
                (struct kept){.child.pid = pid, .status = status, .usage = *usage, .collected_ms = clock_now_ms()};
}

static void forget(struct reaper *reaper, struct child *child)
{
        const struct child *end = &reaper->children[reaper->count--];

        memmove(child, child + 1, (size_t)(end - (child + 1)) * sizeof(*child));
}

void reaper_collect(struct reaper *reaper)
{
        struct rusage usage;
        int status;
        pid_t pid;

        deliver(reaper);
        while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0 || (pid < 0 && errno == EINTR)) {
                if (pid < 0)
                        continue;
                struct child *child = find(reaper, pid);
                if (child) {
                        const struct child known = *child;
                        forget(reaper, child);
                        known.callback(known.context, pid, status, &usage);
                        deliver(reaper);
                } else if (reaper->launches > 0)
                        keep(reaper, pid, status, &usage);
                /* otherwise it is a child of the program that executed us: ignored */
        }
        collect_stops(reaper); /* last, so that nothing keeps us from those that have ended */
}

bool reaper_is_behind(struct reaper *reaper)
{
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
                info.si_pid = 0;
        bool is_behind = info.si_pid != 0 && info.si_pid == reaper->ended;
        reaper->ended = info.si_pid;
        return is_behind;
}

void reaper_free(struct reaper *reaper)
{
        if (!reaper)
                return;
        evloop_timer_free(reaper->timer);
        evloop_timer_free(reaper->stops_timer);
        evloop_timer_free(reaper->signals_timer);
        free(reaper->children);
        free(reaper);
}
