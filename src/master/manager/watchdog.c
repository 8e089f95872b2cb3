#include "master/manager/watchdog.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/manager/manager_link.h"
#include "os/clock.h"

struct watchdog {
        struct reaper *reaper;
        struct manager_link *manager;
        uint64_t half_ms;
        int fd; /* an eventfd: the timer writes it, the watch reads it */
        struct evloop_watch *watch;
        struct evloop_timer *timer;
};

static void on_timer(void *context)
{
        struct watchdog *watchdog = context;
        const uint64_t one = 1;

        ssize_t ignored = write(watchdog->fd, &one, sizeof(one));
        (void)ignored;
        evloop_timer_set(watchdog->timer, clock_now_ms() + watchdog->half_ms);
}

static void on_event(void *context)
{
        struct watchdog *watchdog = context;
        uint64_t count;

        ssize_t ignored = read(watchdog->fd, &count, sizeof(count));
        (void)ignored;
        if (reaper_is_behind(watchdog->reaper)) {
                log_error("ended children are not being collected: not pinging the watchdog");
                return;
        }
        /* While messages are queued a ping would be queued behind them and prove nothing later: skip this one. */
        if (!manager_link_is_stuck(watchdog->manager))
                manager_link_say(watchdog->manager, -1, "WATCHDOG=1");
}

int watchdog_new(struct evloop *loop, struct reaper *reaper, struct manager_link *manager, uint64_t interval_ms,
                 struct watchdog **ret)
{
        struct watchdog *watchdog = calloc(1, sizeof(*watchdog));

        if (!watchdog)
                return -ENOMEM;
        *watchdog = (struct watchdog){
                .reaper = reaper, .manager = manager, .half_ms = MAX_OF(interval_ms / 2, (uint64_t)1)};
        watchdog->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int r = watchdog->fd < 0 ? -errno : 0;
        if (r == 0)
                r = evloop_watch_new(loop, watchdog->fd, on_event, watchdog, &watchdog->watch);
        if (r == 0)
                r = evloop_timer_new(loop, on_timer, watchdog, &watchdog->timer);
        if (r < 0) {
                watchdog_free(watchdog);
                return r;
        }
        evloop_timer_set(watchdog->timer, 0);
        *ret = watchdog;
        return 0;
}

void watchdog_free(struct watchdog *watchdog)
{
        if (!watchdog)
                return;
        evloop_timer_free(watchdog->timer);
        evloop_watch_free(watchdog->watch);
        fd_closep(&watchdog->fd);
        free(watchdog);
}
