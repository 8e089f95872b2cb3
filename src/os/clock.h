/* The clock. It is monotonic, because setting the wall clock must not move a deadline.
 *
 * Owns nothing. master/ and worker/ read it and pass the time to logic/, which never reads it. CLOCK_MONOTONIC stops
 * while the machine is suspended, and so do the deadlines of requests. */
#pragma once

#include <stdint.h>

/* The time since an arbitrary point (boot). Cannot fail, and is async-signal-safe. */
uint64_t clock_now_ms(void);
uint64_t clock_now_ns(void);

/* The CPU time of the calling thread. Takes a system call. */
uint64_t clock_thread_cpu_ns(void);

/* Milliseconds since 1970, only for display: it changes when the machine's clock is set. */
uint64_t clock_wall_ms(void);
