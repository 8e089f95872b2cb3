/* Bytes copied, cleared and compared without libc: its functions may be the program's, and keep their settings in
 * memory that is put back. Used by all of rollback/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sys.h"
#include "preload/rollback/kernel_abi.h"

static inline uintptr_t page_floor(uintptr_t address)
{
        return address & ~(ABI_PAGE_BYTES - 1);
}

static inline uintptr_t page_ceiling(uintptr_t address)
{
        return page_floor(address + ABI_PAGE_BYTES - 1);
}

static inline void memory_copy(void *to, const void *from, size_t size)
{
#if defined(__x86_64__)
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
#else
        for (size_t i = 0; i < size; i++)
                ((volatile char *)to)[i] = ((const char *)from)[i];
#endif
}

static inline void memory_clear(void *memory, size_t size)
{
#if defined(__x86_64__)
        __asm__ volatile("rep stosb" : "+D"(memory), "+c"(size) : "a"(0) : "memory");
#else
        for (size_t i = 0; i < size; i++)
                ((volatile char *)memory)[i] = 0;
#endif
}

/* What the program has in its pages may have any type. */
typedef uint64_t __attribute__((may_alias)) memory_word;

static inline bool page_is_equal(const void *a, const void *b)
{
        const memory_word *x = a;
        const memory_word *y = b;

        for (size_t i = 0; i < ABI_PAGE_BYTES / sizeof(*x); i += 8)
                if (((x[i] ^ y[i]) | (x[i + 1] ^ y[i + 1]) | (x[i + 2] ^ y[i + 2]) | (x[i + 3] ^ y[i + 3]) |
                     (x[i + 4] ^ y[i + 4]) | (x[i + 5] ^ y[i + 5]) | (x[i + 6] ^ y[i + 6]) | (x[i + 7] ^ y[i + 7])) !=
                    0)
                        return false;
        return true;
}

static inline bool page_is_zero(const void *page)
{
        const memory_word *x = page;

        for (size_t i = 0; i < ABI_PAGE_BYTES / sizeof(*x); i += 8)
                if ((x[i] | x[i + 1] | x[i + 2] | x[i + 3] | x[i + 4] | x[i + 5] | x[i + 6] | x[i + 7]) != 0)
                        return false;
        return true;
}

static inline bool is_error(long r)
{
        return r < 0 && r > -4096;
}

/* Memory of our own: readable and writable, zero, not in children of the program; between two pages without access, so
 * that the kernel never merges it with a mapping of the program. NULL: memory is short. */
static inline void *memory_reserve(size_t size)
{
        size_t all = page_ceiling(size) + 2 * ABI_PAGE_BYTES;
        long r = SYS_6(__NR_mmap, 0, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (is_error(r) ||
            SYS_3(__NR_mprotect, r + (long)ABI_PAGE_BYTES, page_ceiling(size), PROT_READ | PROT_WRITE) < 0)
                return NULL;
        SYS_3(__NR_madvise, r, all, MADV_DONTFORK);
        return (void *)(r + (long)ABI_PAGE_BYTES); // NOLINT(performance-no-int-to-ptr): of the kernel
}

static inline void memory_release(void *memory, size_t size)
{
        SYS_2(__NR_munmap, (char *)memory - ABI_PAGE_BYTES, page_ceiling(size) + 2 * ABI_PAGE_BYTES);
}
