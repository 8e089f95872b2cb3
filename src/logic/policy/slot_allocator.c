#include "logic/policy/slot_allocator.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct slot_allocator {
        uint32_t word_count;
        uint32_t first_free_word; /* no word before it has a free bit */
        uint64_t taken[];
};

int slot_allocator_new(uint32_t count, struct slot_allocator **ret)
{
        uint32_t words = count / 64;
        struct slot_allocator *allocator = calloc(1, sizeof(*allocator) + words * sizeof(uint64_t));

        if (!allocator)
                return -ENOMEM;
        allocator->word_count = words;
        *ret = allocator;
        return 0;
}

int slot_allocator_take(struct slot_allocator *allocator, uint32_t *ret)
{
        for (; allocator->first_free_word < allocator->word_count; allocator->first_free_word++) {
                uint64_t *word = &allocator->taken[allocator->first_free_word];
                if (*word == UINT64_MAX)
                        continue;
                uint32_t bit = (uint32_t)__builtin_ctzll(~*word);
                *word |= 1ULL << bit;
                *ret = allocator->first_free_word * 64 + bit;
                return 0;
        }
        return -ENOSPC;
}

int slot_allocator_claim(struct slot_allocator *allocator, uint32_t slot)
{
        uint32_t word = slot / 64;
        uint64_t bit = 1ULL << (slot % 64);

        if (word >= allocator->word_count)
                return -EINVAL;
        if (allocator->taken[word] & bit)
                return -EBUSY;
        allocator->taken[word] |= bit;
        return 0;
}

void slot_allocator_release(struct slot_allocator *allocator, uint32_t slot)
{
        uint32_t word = slot / 64;
        uint64_t bit = 1ULL << (slot % 64);

        assert(word < allocator->word_count && (allocator->taken[word] & bit));
        allocator->taken[word] &= ~bit;
        if (word < allocator->first_free_word)
                allocator->first_free_word = word;
}

void slot_allocator_free(struct slot_allocator *allocator)
{
        free(allocator);
}
