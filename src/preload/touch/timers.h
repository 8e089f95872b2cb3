/* The interval and POSIX timers that the program has set: fork(2) gives a copy none of them. Used by touch/ alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* timer_create(2), timer_delete(2) for the program. */
long timers_create(int clock, const void *event, int *ret_timer);
long timers_delete(int timer);

/* Keep what is left of each, and disarm them. False: there are more than can be kept. */
bool timers_stop(void);

/* In a copy: as they were at the stop. `former_tid`: the thread of the template. False: one cannot be had. */
bool timers_go_on(int former_tid);
