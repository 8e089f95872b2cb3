/* Memory is put back to what it was at the checkpoint. Called by rollback/loop when a process has ended, after the
 * mappings have been put right. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "preload/rollback/checkpoint.h"

struct restore {
        struct checkpoint *checkpoint;
        struct abi_page_run runs[128]; /* a larger buffer costs the kernel more */
        uint64_t pages_put_back;       /* since the checkpoint, for tests and measurements */
};

/* 0, or -errno: writes are not tracked any more. */
int restore_all(struct restore *restore);

/* Compare all memory with the checkpoint. Returns how many pages differ; *ret_first is the first of them. */
size_t restore_verify(const struct checkpoint *checkpoint, uintptr_t *ret_first);
