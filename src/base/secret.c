#include "base/secret.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"

/* Before the bytes of a secret. */
struct header {
        _Alignas(16) size_t size; /* of the mapping */
};

static struct header *header_of(const void *secret)
{
        return (struct header *)(uintptr_t)secret - 1;
}

void *secret_new(size_t size)
{
        size_t all;

        if (__builtin_add_overflow(size, sizeof(struct header), &all))
                return NULL;
        struct header *header = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (header == MAP_FAILED)
                return NULL;
        if (madvise(header, all, MADV_DONTFORK) < 0) {
                munmap(header, all);
                return NULL;
        }
        madvise(header, all, MADV_DONTDUMP);
        header->size = all;
        return header + 1;
}

void secret_free(void *secret)
{
        int error = errno;

        if (!secret)
                return;
        struct header *header = header_of(secret);
        size_t size = header->size;
        explicit_bzero(header, size);
        munmap(header, size);
        errno = error;
}

void secret_freep(void *secret)
{
        void **pointer = secret;

        secret_free(TAKE_PTR(*pointer));
}

/* 0 or -errno. */
static int advise(const void *secret, int advice)
{
        struct header *header = secret ? header_of(secret) : NULL;

        return header && madvise(header, header->size, advice) < 0 ? -errno : 0;
}

int secret_share(const void *secret)
{
        return advise(secret, MADV_DOFORK);
}

void secret_unshare(const void *secret)
{
        /* It is a mapping apart now: nothing has to be split, which could fail. */
        (void)advise(secret, MADV_DONTFORK);
}

void wiped_free(void *memory)
{
        int error = errno;

        if (memory)
                explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
        errno = error;
}

void wiped_freep(void *memory)
{
        void **pointer = memory;

        wiped_free(TAKE_PTR(*pointer));
}

void *wiped_realloc(void *memory, size_t size)
{
        void *copy = malloc(size);

        if (!copy || !memory)
                return copy;
        memcpy(copy, memory, MIN_OF(size, malloc_usable_size(memory)));
        wiped_free(memory);
        return copy;
}
