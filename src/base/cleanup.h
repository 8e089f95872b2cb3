/* Scope-bound cleanup and hand-over of ownership.
 *
 * Owns nothing; included everywhere. `_cleanup_(fd_closep) int fd = -1;` closes at the end of the scope, on every
 * path; `*ret_fd = TAKE_FD(fd);` hands the descriptor to the caller and disarms the cleanup. Cleanup functions keep
 * errno, so that a `return -errno` that runs them reports the first failure. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* NOLINTNEXTLINE(bugprone-reserved-identifier): the name that systemd gave it */
#define _cleanup_(function) __attribute__((cleanup(function)))

#define TAKE_FD(fd)                                                                                                    \
        ({                                                                                                             \
                int *taken_from_ = &(fd);                                                                              \
                int taken_ = *taken_from_;                                                                             \
                *taken_from_ = -1;                                                                                     \
                taken_;                                                                                                \
        })

#define TAKE_PTR(pointer)                                                                                              \
        ({                                                                                                             \
                __typeof__(pointer) *taken_from_ = &(pointer);                                                         \
                __typeof__(pointer) taken_ = *taken_from_;                                                             \
                *taken_from_ = NULL;                                                                                   \
                taken_;                                                                                                \
        })

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

static inline void fd_closep(int *fd)
{
        if (*fd >= 0) {
                int saved_errno = errno;
                close(*fd);
                errno = saved_errno;
        }
        *fd = -1;
}

static inline void freep(void *pointer_to_pointer)
{
        void **pointer = pointer_to_pointer;
        free(*pointer);
        *pointer = NULL;
}

static inline void file_closep(FILE **file)
{
        if (*file) {
                int saved_errno = errno;
                fclose(*file);
                errno = saved_errno;
        }
        *file = NULL;
}
