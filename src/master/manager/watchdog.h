/* The watchdog: pings the service manager regularly while the daemon works (WatchdogSec= of systemd.service(5)).
 *
 * Owned by struct readiness. What must stay true: a ping proves that the daemon works. The timer that starts it proves
 * that timers fire, the eventfd it passes through proves that the loop reads descriptors, and it is not sent if a child
 * that had ended at the last ping is still not collected. */
#pragma once

#include <stdint.h>

struct evloop;
struct manager_link;
struct reaper;
struct watchdog;

/* Ping at every half of `interval_ms`, beginning now. All arguments are borrowed. 0 or -errno. */
int watchdog_new(struct evloop *loop, struct reaper *reaper, struct manager_link *manager, uint64_t interval_ms,
                 struct watchdog **ret);

void watchdog_free(struct watchdog *watchdog); /* NULL is fine */
