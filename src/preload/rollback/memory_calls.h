/* libc's functions that change mappings in ways that sums do not show: mprotect, mlock, madvise, mmap at a fixed place
 * and their kind. The preload object takes their place, so that it is known that one was called.
 *
 * Read by rollback/loop after each process. What must stay true: the note lies in the object's own memory, which the
 * process shares with the worker and which is not put back. Other programs notice nothing: each function makes its
 * system call and no more. */
#pragma once

enum memory_calls_effect {
        MEMORY_CALLS_NONE,
        MEMORY_CALLS_MAPPING, /* on what /proc/self/maps shows, or on locks */
        MEMORY_CALLS_FLAGS,   /* on what only /proc/self/smaps shows, or on pages that vanish later, too */
};

/* The greatest effect since the last call. */
enum memory_calls_effect memory_calls_take(void);
