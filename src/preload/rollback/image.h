/* The writable memory of a template in a sealed file: its workers take what is equal from there instead of keeping a
 * copy each. Written in the template, read by rollback/checkpoint in workers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "preload/rollback/regions.h"

struct image_region {
        uint64_t start, end, offset;
};

struct image {
        uint64_t bytes, count;
        struct image_region regions[REGIONS_MOST];
};

/* Write it. `stack` is the lowest address of the stack in use. Returns the descriptor, at least `first_fd`, or -errno.
 */
int image_make(uintptr_t stack, int first_fd);

/* Map the file `fd`: private, so that a worker may write what it has different. NULL: it cannot be had. */
const struct image *image_map(int fd);

/* Where the bytes of that region are; NULL: the template had no such region. */
unsigned char *image_find(const struct image *image, const struct region *region);

/* All that is needed is there: writing ends. */
void image_protect(const struct image *image);
