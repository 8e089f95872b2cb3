/* The clock: monotonic, because a step of the wall clock must not move a deadline.
 *
 * Owns nothing. master/ and worker/ read it and pass the time down; logic/ never does. CLOCK_MONOTONIC stands still
 * while the machine is suspended, as the deadlines of a suspended request should. */
#pragma once

#include <stdint.h>

/* Time since an arbitrary point (boot). Cannot fail: clock_gettime(2) knows no error for this clock. Async-signal-safe.
 */
uint64_t clock_now_ms(void);
uint64_t clock_now_ns(void);

/* Milliseconds since 1970, for people only: it jumps when the clock of the machine is set. */
uint64_t clock_wall_ms(void);
