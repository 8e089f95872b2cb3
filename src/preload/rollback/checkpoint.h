/* The checkpoint: the writable memory of the program as it was when it was stopped, and what watches it since.
 *
 * Taken once in a worker, on a stack of our own. What must stay true: the copy and the notes about pages lie in memory
 * that is in no region. */
#pragma once

#include <stdbool.h>

#include "preload/rollback/image.h"
#include "preload/rollback/regions.h"
#include "preload/rollback/tracking.h"

struct checkpoint {
        struct tracking tracking;
        struct regions regions;
        const struct image *image;
        uint64_t entries[512]; /* of pagemap */
};

/* Take it. `found` are the mappings as they are, `own` what is left out of them, `stack` the lowest address of the
 * stack in use; tracking is open. 0, or -errno: memory is short, or writes cannot be tracked. */
int checkpoint_take(struct checkpoint *checkpoint, const struct mappings *found, const struct own_memory *own,
                    size_t own_count, uintptr_t stack, int image_fd);

/* Read what the kernel says about the pages from `address` on, at most to `end`, into entries. Returns how many. */
size_t checkpoint_read_entries(struct checkpoint *checkpoint, uintptr_t address, uintptr_t end);

/* The mapping of a region is gone or damaged: make a new one, and put all of it back next. 0, or -EPERM: this kind of
 * mapping cannot be made again; or another -errno. */
int checkpoint_map_again(const struct checkpoint *checkpoint, struct region *region);

/* Put all regions of no file back next, whatever the kernel says was written. */
void checkpoint_doubt(struct checkpoint *checkpoint);
