#include "master/loop/reaper.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "master/loop/evloop.h"
#include "os/clock.h"

#define KEPT_MAX 128

/* Whoever may signal our children can stop and continue them as fast as we look. */
#define STOPS_AT_ONCE 64
#define STOPS_AGAIN_MS 10

struct child {
        pid_t pid;
        reaper_callback callback;
        reaper_stop_callback on_stop; /* NULL: not asked for */
        void *context;
};

/* The status of a child that was not registered when it was collected. */
struct kept {
        struct child child; /* the callback is NULL until a late registration */
        int status;
        struct rusage usage;
        uint64_t collected_ms;
};

struct reaper {
        void *children; /* of tsearch(3), ordered by pid */
        pid_t ended;    /* a child that had ended and was not collected at the last reaper_is_behind(); 0: none */
        unsigned launches;
        struct kept kept[KEPT_MAX]; /* oldest first */
        size_t kept_count;
        bool overflow_told;               /* the overflow was logged during the present launches */
        struct evloop_timer *timer;       /* delivers kept statuses that were asked for */
        struct evloop_timer *stops_timer; /* goes on with stops and continuations that were too many for one look */
};

static int compare(const void *a, const void *b)
{
        const struct child *one = a, *other = b;

        return (one->pid > other->pid) - (one->pid < other->pid);
}

static struct child *find(const struct reaper *reaper, pid_t pid)
{
        const struct child key = {.pid = pid};
        struct child *const *node = tfind(&key, &reaper->children, compare);

        return node ? *node : NULL;
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

static void collect_stops(struct reaper *reaper)
{
        siginfo_t info = {0};

        for (unsigned i = 0; i < STOPS_AT_ONCE; i++) {
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED | WNOHANG) < 0 || info.si_pid == 0)
                        return;
                const struct child *child = find(reaper, info.si_pid);
                if (child && child->on_stop)
                        child->on_stop(child->context, info.si_code != CLD_CONTINUED);
        }
        evloop_timer_set(reaper->stops_timer, clock_now_ms() + STOPS_AGAIN_MS);
}

static void on_stops_timer(void *context)
{
        collect_stops(context);
}

int reaper_new(struct evloop *loop, struct reaper **ret)
{
        struct reaper *reaper = calloc(1, sizeof(*reaper));

        if (!reaper)
                return -ENOMEM;
        int r = evloop_timer_new(loop, on_timer, reaper, &reaper->timer);
        if (r == 0)
                r = evloop_timer_new(loop, on_stops_timer, reaper, &reaper->stops_timer);
        if (r < 0) {
                reaper_free(reaper);
                return r;
        }
        *ret = reaper;
        return 0;
}

void reaper_begin_launch(struct reaper *reaper)
{
        reaper->launches++;
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
        struct child *child = malloc(sizeof(*child));

        if (!child)
                return -ENOMEM;
        *child = (struct child){.pid = pid, .callback = callback, .context = context};
        struct child *const *node = tsearch(child, &reaper->children, compare);
        if (node && *node == child)
                return 0;
        free(child);
        return node ? -EEXIST : -ENOMEM;
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

void reaper_expect_stops(struct reaper *reaper, pid_t pid, reaper_stop_callback callback)
{
        struct child *child = find(reaper, pid);

        if (child)
                child->on_stop = callback;
}

int reaper_kill(const struct reaper *reaper, pid_t pid, const void *context, int signal_number)
{
        const struct child *child = find(reaper, pid);

        if (!child || child->context != context)
                return -ESRCH;
        return kill(pid, signal_number) < 0 ? -errno : 0;
}

int reaper_kill_group(const struct reaper *reaper, pid_t pid, const void *context, int signal_number)
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

void reaper_collect(struct reaper *reaper)
{
        struct rusage usage;
        int status;
        pid_t pid;

        deliver(reaper);
        while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
                struct child *child = find(reaper, pid);
                if (child) {
                        struct child known = *child;
                        tdelete(&known, &reaper->children, compare);
                        free(child);
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
        tdestroy(reaper->children, free);
        free(reaper);
}
