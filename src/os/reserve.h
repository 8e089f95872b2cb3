/* A reserve of memory for a library that ends the process when it gets none.
 *
 * Owns one mapping, made at the start and kept for ever; the state is static, because an allocator gets no argument.
 * Used by master/loop/evloop alone, for libev. What the reserve has given is not given back to it: libev's arrays grow
 * by doubling, so that all of them together take at most twice what they hold in the end. */
#pragma once

#include <stddef.h>

/* Put `bytes` aside, once; later calls do nothing. 0 or -errno of mmap(2). */
int reserve_open(size_t bytes);

/* As realloc(3), but from the reserve when the system has no memory. `size` 0 frees. NULL: the reserve is used up. */
void *reserve_realloc(void *memory, size_t size);
