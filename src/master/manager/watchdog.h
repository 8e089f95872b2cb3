/* The watchdog: tells the service manager in time that the daemon lives (WatchdogSec= of systemd.service(5)).
 *
 * Owned by struct readiness. A ping is proof, not habit: the timer that begins it proves that timers fire, the
 * descriptor it goes through that the loop reads events, and no child may have been left uncollected since the last
 * one. */
#pragma once

#include <stdint.h>

struct evloop;
struct manager_link;
struct reaper;
struct watchdog;

/* Ping every half of `interval_ms`, beginning now. All are borrowed. 0 or -errno. */
int watchdog_new(struct evloop *loop, struct reaper *reaper, struct manager_link *manager, uint64_t interval_ms,
                 struct watchdog **ret);

void watchdog_free(struct watchdog *watchdog); /* NULL is fine */
