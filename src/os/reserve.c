#include "os/reserve.h"

#include <errno.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"

#define ALIGNMENT alignof(max_align_t)

static struct {
        unsigned char *memory;
        size_t size;
        size_t used;
} reserve;

/* Precedes each piece of the reserve. */
struct piece {
        alignas(ALIGNMENT) size_t size;
};

int reserve_open(size_t bytes)
{
        if (reserve.memory)
                return 0;
        void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return -errno;
        reserve.memory = memory;
        reserve.size = bytes;
        return 0;
}

static bool is_ours(const void *memory)
{
        uintptr_t address = (uintptr_t)memory, begin = (uintptr_t)reserve.memory;

        return reserve.memory && address >= begin && address < begin + reserve.size;
}

static size_t size_of(void *memory)
{
        return is_ours(memory) ? ((const struct piece *)memory - 1)->size : malloc_usable_size(memory);
}

static void *take(size_t size)
{
        size_t whole = (size + sizeof(struct piece) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

        if (whole < size || whole > reserve.size - reserve.used)
                return NULL;
        struct piece *piece = (void *)(reserve.memory + reserve.used);
        reserve.used += whole;
        piece->size = size;
        return piece + 1;
}

void *reserve_realloc(void *memory, size_t size)
{
        bool from_reserve = is_ours(memory);

        if (size == 0) {
                if (!from_reserve)
                        free(memory);
                return NULL;
        }
        void *grown = from_reserve ? malloc(size) : realloc(memory, size);
        if (grown && !from_reserve)
                return grown;
        if (!grown)
                grown = take(size);
        if (!grown)
                return NULL;
        if (memory)
                memcpy(grown, memory, MIN_OF(size, size_of(memory)));
        if (!from_reserve)
                free(memory);
        return grown;
}
