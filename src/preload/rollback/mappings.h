/* The mappings of this process as a list: from the kernel's queries (Linux >= 6.11) or the text of /proc/self/maps.
 *
 * Called by rollback/checkpoint, image and address_space. Makes no mapping itself, so that it does not change what it
 * lists. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPPINGS_MOST 2048U

enum {
        MAPPING_READ = 1,
        MAPPING_WRITE = 2,
        MAPPING_EXECUTE = 4,
        MAPPING_SHARED = 8,
};

struct mapping {
        uint64_t start, end, offset, inode; /* inode 0: of no file */
        uint32_t device;
        uint32_t flags;
};

struct mappings {
        size_t count;
        bool has_aio; /* one is a ring of io_setup(2) */
        struct mapping all[MAPPINGS_MOST];
        char text[8192]; /* of /proc/self/maps */
};

/* `maps_fd` is /proc/self/maps. 0, or -E2BIG (more than MAPPINGS_MOST), or another -errno. */
int mappings_read(int maps_fd, struct mappings *ret);

/* By the text alone: the names are looked at, too (has_aio). */
int mappings_read_text(int maps_fd, struct mappings *ret);

bool mappings_equal(const struct mappings *a, const struct mappings *b);

/* The same, whether or not the kernel has merged neighbours of no file. */
bool mappings_are_alike(const struct mappings *a, const struct mappings *b);

/* Private, readable and writable: what is rolled back. */
static inline bool mapping_is_private(const struct mapping *mapping)
{
        return (mapping->flags & (MAPPING_WRITE | MAPPING_SHARED)) == MAPPING_WRITE;
}
