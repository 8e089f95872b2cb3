/* The numbers that an administrator sets in the kernel, sysctl(8).
 *
 * Owns nothing. Reads /proc, which may be missing in a chroot or hidden in a container. */
#pragma once

#include <stdint.h>

/* Read a setting that is one number; `path` is its file in /proc/sys, such as "/proc/sys/fs/nr_open". 0; -errno: it
 * cannot be read; -EINVAL or -ERANGE: it is no such number. *ret is left alone on failure. */
int kernel_setting_read(const char *path, uint64_t *ret);
