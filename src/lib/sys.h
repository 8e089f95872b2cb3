/* The system calls of lib/. Each returns its result or -errno.
 *
 * lib/ is compiled twice: as a library, where these call libc, and into the preload object (PREFORK_RAW), where they
 * call the kernel directly: there they must neither run functions that the program has replaced nor touch its errno. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* A set of signals as the kernel has it: bit N-1 is signal N. */
static inline uint64_t sys_signal_bit(int number)
{
        return UINT64_C(1) << (number - 1);
}

#ifdef PREFORK_RAW
#include "lib/sys_raw.h"
#else
#include "lib/sys_libc.h"
#endif

/* Monotonic nanoseconds, as clock_now_ns() of the daemon. */
static inline uint64_t sys_now_ns(void)
{
        struct timespec now = {0};

        sys_clock_gettime(&now);
        return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}
