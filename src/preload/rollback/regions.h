/* The writable memory of the program: private writable mappings without what is the preload object's own.
 *
 * Called by rollback/image in the template and by rollback/checkpoint in the worker, which must find the same. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/rollback/kernel_abi.h"
#include "preload/rollback/mappings.h"

#define REGIONS_MOST 512U

/* What is known of a page: how often it was dirty when a process had ended, and whether it was all zero. */
enum {
        PAGE_DIRTY_MOST = 3, /* such a page is taken to be dirty always, and not protected any more */
        PAGE_COUNT_MASK = 3,
        PAGE_ZERO = 128,
};

struct region {
        uintptr_t start, end;
        const unsigned char *pristine; /* its bytes at the checkpoint */
        unsigned char *pages;          /* PAGE_… of each */
        uint32_t flags;                /* MAPPING_… */
        bool is_file;                  /* mapped from a file: an absent page is the file's, not what it was */
        bool is_stack;                 /* grows, so that it cannot be mapped again */
        bool is_doubtful;              /* all of it is put back, whatever the kernel says was written */
};

struct regions {
        size_t count;
        struct region all[REGIONS_MOST];
};

/* Memory that is left out. */
struct own_memory {
        uintptr_t start, end;
};

/* The preload object's writable segments, by its program headers. Returns how many; at most `most`. */
size_t regions_own_segments(struct own_memory *ret, size_t most);

/* 0 or -E2BIG. `pristine` and `pages` are not set. `stack` is an address in the stack. */
int regions_find(const struct mappings *mappings, const struct own_memory *own, size_t own_count, uintptr_t stack,
                 struct regions *ret);

size_t regions_bytes(const struct regions *regions);

/* Drop what is below `stack` in its region, and clear the rest of its page: calls that have returned left it there. */
void regions_drop_below(const struct regions *regions, uintptr_t stack);

static inline unsigned char *region_page(const struct region *region, uintptr_t address)
{
        return &region->pages[(address - region->start) / ABI_PAGE_BYTES];
}
