/* Open descriptors: closing everything a child was not given.
 *
 * Owns nothing. Children call this between fork and their own work: descriptors we do not know of (inherited from
 * whoever started us) have no CLOEXEC to close them. */
#pragma once

#include <stddef.h>

/* Close every descriptor but those in `keep`, whose flags (CLOEXEC among them) stay as they are. `keep` may be in any
 * order, hold duplicates and hold -1; fewer than a hundred or so, because it is searched once for each. 0, or the
 * errors of close_range(2): none on the kernels we support, bar a seccomp filter's -EPERM or -ENOSYS.
 * Async-signal-safe; allocates nothing. */
int fds_close_all_except(const int *keep, size_t count);
