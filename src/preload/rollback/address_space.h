/* The mappings of the worker are what they were at the checkpoint, or are made so.
 *
 * Called by rollback/loop before memory is put back. Looking at all mappings costs a third of a connection, so at first
 * only sums are compared (/proc/self/statm), and whether anything of the regions is gone. What that does not show is
 * found because libc's functions for it are watched (memory_calls). A program that makes those system calls itself is
 * seen only if is_strict: then everything is looked at always. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "preload/rollback/checkpoint.h"
#include "preload/rollback/mappings.h"
#include "preload/rollback/memory_calls.h"
#include "lib/rollback_obstacle.h"

struct address_space {
        int maps_fd, statm_fd;
        int smaps_fd;
        bool is_strict;
        uintptr_t program_break;
        uint64_t pages, data_pages; /* of statm */
        uint64_t flags_hash;        /* of smaps */
        uint64_t looks;             /* how often all mappings were read, for tests and measurements */
        struct mappings saved, current;
};

/* Remember the mappings, when the checkpoint has been taken. 0 or -errno. */
int address_space_take(struct address_space *space);

/* Unmap what is new, map again what is gone and can be. `effect`: of what the program has called.
 * ROLLBACK_NO_OBSTACLE, or why the worker must end. */
enum rollback_obstacle address_space_put_right(struct address_space *space, struct checkpoint *checkpoint,
                                               enum memory_calls_effect effect);
