/* The kernel's pressure files.
 *
 * Owns nothing: they are opened for each look, because preforkd may be moved to another control group. What counts is
 * the control group of preforkd, in which its workers are, too: there limits of the group are felt, and what other
 * groups want only as far as it is felt here. Where it has no such files (another hierarchy, a container that hides
 * them), it is the machine. */
#pragma once

#include <stddef.h>

#include "base/pressure.h"

/* Read the pressure now. 0; -ENOENT or -EOPNOTSUPP: the kernel does not measure it (CONFIG_PSI, psi=1); -EINVAL or
 * -ERANGE: the file is not understood; others: it cannot be read. The error is that of /proc/pressure/. */
int pressure_read(enum pressure_resource resource, struct pressure_reading *ret);

/* The path of the control group in the text of /proc/PID/cgroup: that of version 2. Returns its length, *ret points
 * into `text`; 0: there is none, or it is out of sight. */
size_t pressure_find_group(const char *text, const char **ret);
