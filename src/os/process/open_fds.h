/* Open descriptors: what a process can rely on, and closing everything a child was not given.
 *
 * Owns nothing. Children call this between fork and their own work: descriptors we do not know of (inherited from
 * whoever started us) have no CLOEXEC to close them. */
#pragma once

#include <stddef.h>

/* See to it that 0, 1 and 2 are open, on /dev/null where nothing was: what is opened later must not be taken for them. To be
 * called first of all. 0 or -errno. */
int fds_open_standard(void);

/* Close every descriptor but those in `keep`, whose flags (CLOEXEC among them) stay as they are. `keep` may be in any
 * order, hold duplicates and hold -1; fewer than a hundred or so, because it is searched once for each. 0, or the
 * errors of close_range(2): none on the kernels we support, bar a seccomp filter's -EPERM or -ENOSYS.
 * Async-signal-safe; allocates nothing. */
int fds_close_all_except(const int *keep, size_t count);
