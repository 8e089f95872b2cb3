/* The event loop: descriptors and timers, in milliseconds. The only file that knows libev.
 *
 * Owned by struct daemon. It is never libev's default loop, which would claim SIGCHLD and unblock signals. Watches and
 * timers are allocated here and freed by their callers. What must stay true: nothing fires after it was freed, not even
 * in the same turn; and with no timer set and no descriptor ready, the process does not wake. */
#pragma once

#include <stdint.h>

struct evloop;
struct evloop_watch;
struct evloop_timer;

typedef void (*evloop_callback)(void *context);

/* 0 or -ENOMEM (also if epoll(7) is not available). */
int evloop_new(struct evloop **ret);

/* Run until evloop_stop(). */
void evloop_run(struct evloop *loop);
void evloop_stop(struct evloop *loop);

/* Call back whenever `fd` is readable. The watch is active at once; `fd` is borrowed. 0 or -ENOMEM. */
int evloop_watch_new(struct evloop *loop, int fd, evloop_callback callback, void *context, struct evloop_watch **ret);
void evloop_watch_pause(struct evloop_watch *watch);

/* From now on call back whenever the descriptor is writable, instead of readable. */
void evloop_watch_for_writing(struct evloop_watch *watch);
void evloop_watch_resume(struct evloop_watch *watch);
void evloop_watch_free(struct evloop_watch *watch); /* NULL is fine */

/* A one-shot timer, not set yet. 0 or -ENOMEM. */
int evloop_timer_new(struct evloop *loop, evloop_callback callback, void *context, struct evloop_timer **ret);

/* Fire at `at_ms` of clock_now_ms(), or in the next turn if that has passed. Replaces an earlier setting. */
void evloop_timer_set(struct evloop_timer *timer, uint64_t at_ms);
void evloop_timer_unset(struct evloop_timer *timer);
void evloop_timer_free(struct evloop_timer *timer); /* NULL is fine */

void evloop_free(struct evloop *loop);
