#include "preload/rollback/memory_calls.h"

#include <stdarg.h>

#include "lib/sys.h"

#define EXPORT __attribute__((visibility("default")))

static volatile enum memory_calls_effect noted;

enum memory_calls_effect memory_calls_take(void)
{
        enum memory_calls_effect effect = noted;

        if (effect != MEMORY_CALLS_NONE)
                noted = MEMORY_CALLS_NONE;
        return effect;
}

static void note(enum memory_calls_effect effect)
{
        if (noted < effect)
                noted = effect;
}

/* As libc returns it. */
static long finish(long r)
{
        if (r >= 0 || r < -4095)
                return r;
        errno = (int)-r;
        return -1;
}

/* Advice of which nothing stays but what the scan for written pages finds. */
static bool leaves_nothing(int advice)
{
        return advice == MADV_DONTNEED || advice == MADV_WILLNEED || advice == MADV_COLD || advice == MADV_PAGEOUT;
}

EXPORT int mprotect(void *start, size_t size, int protection)
{
        note(MEMORY_CALLS_MAPPING);
        return (int)finish(SYS_3(__NR_mprotect, start, size, protection));
}

EXPORT int pkey_mprotect(void *start, size_t size, int protection, int key)
{
        note(MEMORY_CALLS_FLAGS);
        if (key == -1)
                return (int)finish(SYS_3(__NR_mprotect, start, size, protection));
        return (int)finish(SYS_4(__NR_pkey_mprotect, start, size, protection, key));
}

EXPORT int mlock(const void *start, size_t size)
{
        note(MEMORY_CALLS_MAPPING);
        return (int)finish(SYS_2(__NR_mlock, start, size));
}

EXPORT int mlock2(const void *start, size_t size, unsigned flags)
{
        note(MEMORY_CALLS_MAPPING);
        return (int)finish(SYS_3(__NR_mlock2, start, size, flags));
}

EXPORT int mlockall(int flags)
{
        note(MEMORY_CALLS_MAPPING);
        return (int)finish(SYS_1(__NR_mlockall, flags));
}

EXPORT int madvise(void *start, size_t size, int advice)
{
        if (!leaves_nothing(advice))
                note(MEMORY_CALLS_FLAGS);
        return (int)finish(SYS_3(__NR_madvise, start, size, advice));
}

static void *map(void *start, size_t size, int protection, int flags, int fd, int64_t offset)
{
        if (flags & (MAP_FIXED | MAP_LOCKED))
                note(MEMORY_CALLS_MAPPING);
        return (void *)finish( // NOLINT(performance-no-int-to-ptr): of the kernel
                SYS_6(__NR_mmap, start, size, protection, flags, fd, offset));
}

/* Under names of ours in C, because libc's headers may make the one the other (_FILE_OFFSET_BITS). */
EXPORT void *call_mmap(void *start, size_t size, int protection, int flags, int fd, int64_t offset) __asm__("mmap");
EXPORT void *call_mmap64(void *start, size_t size, int protection, int flags, int fd, int64_t offset) __asm__("mmap64");

void *call_mmap(void *start, size_t size, int protection, int flags, int fd, int64_t offset)
{
        return map(start, size, protection, flags, fd, offset);
}

void *call_mmap64(void *start, size_t size, int protection, int flags, int fd, int64_t offset)
{
        return map(start, size, protection, flags, fd, offset);
}

EXPORT void *mremap(void *start, size_t size, size_t new_size, int flags, ...)
{
        va_list more;
        void *where = NULL;

        va_start(more, flags);
        if (flags & MREMAP_FIXED)
                where = va_arg(more, void *); // NOLINT(clang-analyzer-valist.Uninitialized): the line above
        va_end(more);
        note(MEMORY_CALLS_MAPPING);
        return (void *)finish( // NOLINT(performance-no-int-to-ptr): of the kernel
                SYS_5(__NR_mremap, start, size, new_size, flags, where));
}
