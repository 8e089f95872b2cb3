/* idle_timeout: ends a request on whose connection no byte has gone either way for so long.
 *
 * Its thread has a timer, whose signal looks at what the kernel counts on the connection (lib/tcp_counts) and sets the
 * timer to when the time could be over. So a busy connection costs a look in that time, and nobody touches its data.
 * Called by all who hold connections; the signal is SIGALRM, which lib/orders passes on. What must stay true: only the
 * request that is watched is ended, and only by its own time. Async-signal-safe but for idle_watch_open(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Make the timer of this thread; 0: none. `in_process`: it serves itself, so what it waits for must be interrupted when
 * its time is over, as an order does, but not at each look. 0 or -errno (-EAGAIN: there are too many). */
int idle_watch_open(uint64_t timeout_ms, uint64_t kill_ms, bool in_process);

/* A request begins. No effect without a timer, or if the connection is not TCP. */
void idle_watch_begin(int connection);

/* It has ended. True: because it was idle. */
bool idle_watch_end(void);

/* The timer's signal has come, or another of its kind. */
void idle_watch_look(void);
