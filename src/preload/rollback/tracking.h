/* Which pages have been written: by userfaultfd's asynchronous write protection and PAGEMAP_SCAN, Linux >= 6.7.
 *
 * Called by rollback/checkpoint, restore and address_space. Support is found out by trying, not by error numbers:
 * kernels accept what they do not do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "preload/rollback/kernel_abi.h"

struct tracking {
        int fault_fd; /* -1: writes are not tracked */
        int pagemap_fd;
};

/* Open fault_fd, at least `first_fd`, and try it on a page of our own. 0 or -errno; fault_fd is -1 then. */
int tracking_open(struct tracking *tracking, int first_fd);

/* These bytes are tracked; nothing is protected yet. Both return 0 or -errno. */
int tracking_register(const struct tracking *tracking, uintptr_t start, uintptr_t end);

/* These pages are as they should be: report them again once they have been written. */
int tracking_protect(const struct tracking *tracking, uintptr_t start, uintptr_t end);

/* Pages of [*start, end) that were written, or are absent, as runs of pages of one kind. Moves *start to where the next
 * call begins; the end when all have been found. Returns how many runs; -EPERM: a part is not tracked any more. */
long tracking_scan(const struct tracking *tracking, uintptr_t *start, uintptr_t end, struct abi_page_run *runs,
                   unsigned most);
