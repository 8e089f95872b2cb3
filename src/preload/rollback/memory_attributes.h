/* Attributes that belong to memory as a whole, so that a new process changes those of the worker: whether it may be
 * dumped, huge pages, merging, and what may be executed.
 *
 * Called by rollback/loop after each process. */
#pragma once

#include <stdbool.h>

#include "lib/rollback_obstacle.h"

struct memory_attributes {
        long dumpable, huge_pages_off, merging, write_execute;
};

void memory_attributes_read(struct memory_attributes *ret);

/* Put them back. ROLLBACK_NO_OBSTACLE, or ROLLBACK_ATTRIBUTES_CHANGED: some cannot be. That a process is not dumpable
 * any more is also the kernel's answer to a change of credentials. */
enum rollback_obstacle memory_attributes_put_back(const struct memory_attributes *attributes);
