/* Open descriptors: make sure that 0, 1 and 2 exist, and close everything that a child must not have.
 *
 * Owns nothing. bin/ calls the first function; children call the second between fork and their own work, because
 * unknown descriptors that we inherited at our start have no FD_CLOEXEC. */
#pragma once

#include <stddef.h>

/* Open /dev/null as 0, 1 and 2 where they are closed, so that no other file gets these numbers. Call this before
 * anything else. 0 or -errno. */
int fds_open_standard(void);

/* Close every descriptor except those in `keep`, whose flags do not change. `keep` may be in any order and contain
 * duplicates and -1. It should have no more than about a hundred entries, because it is searched once for each. Where
 * close_range(2) is refused, by an old filter of system calls or by what stands in for a kernel, it goes by
 * /proc/self/fd, and without /proc by all numbers below RLIMIT_NOFILE. 0 or -errno of close_range(2).
 * Async-signal-safe; allocates nothing. */
int fds_close_all_except(const int *keep, size_t count);
