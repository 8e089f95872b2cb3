#include "logic/policy/slot_allocator.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
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

static bool is_taken(const struct slot_allocator *allocator, uint32_t slot)
{
        return (allocator->taken[slot / 64] >> (slot % 64) & 1) != 0;
}

static void mark_taken(struct slot_allocator *allocator, uint32_t first, uint32_t count)
{
        for (uint32_t slot = first; slot < first + count; slot++)
                allocator->taken[slot / 64] |= 1ULL << (slot % 64);
}

/* How many free slots there are from `first` on, `most` at the most. */
static uint32_t count_free(const struct slot_allocator *allocator, uint32_t first, uint32_t most)
{
        uint64_t end = (uint64_t)allocator->word_count * 64;
        uint32_t count = 0;

        while (count < most && (uint64_t)first + count < end && !is_taken(allocator, first + count))
                count++;
        return count;
}

int slot_allocator_take(struct slot_allocator *allocator, uint32_t count, uint32_t *ret)
{
        uint32_t end = allocator->word_count * 64;

        while (allocator->first_free_word < allocator->word_count &&
               allocator->taken[allocator->first_free_word] == UINT64_MAX)
                allocator->first_free_word++;
        for (uint32_t slot = allocator->first_free_word * 64; slot < end;) {
                uint64_t word = allocator->taken[slot / 64] >> (slot % 64);
                if (slot % 64 == 0 && word == UINT64_MAX) {
                        slot += 64;
                        continue;
                }
                if (word & 1) {
                        slot += (uint32_t)__builtin_ctzll(~word);
                        continue;
                }
                uint32_t free_slots = count_free(allocator, slot, count);
                if (free_slots == count) {
                        mark_taken(allocator, slot, count);
                        *ret = slot;
                        return 0;
                }
                slot += free_slots;
        }
        return -ENOSPC;
}

int slot_allocator_claim(struct slot_allocator *allocator, uint32_t first, uint32_t count)
{
        uint64_t end = (uint64_t)allocator->word_count * 64;

        if (count == 0 || first >= end || count > end - first)
                return -EINVAL;
        if (count_free(allocator, first, count) < count)
                return -EBUSY;
        mark_taken(allocator, first, count);
        return 0;
}

void slot_allocator_release(struct slot_allocator *allocator, uint32_t first, uint32_t count)
{
        for (uint32_t slot = first; slot < first + count; slot++) {
                assert(slot / 64 < allocator->word_count && is_taken(allocator, slot));
                allocator->taken[slot / 64] &= ~(1ULL << (slot % 64));
        }
        if (first / 64 < allocator->first_free_word)
                allocator->first_free_word = first / 64;
}

void slot_allocator_free(struct slot_allocator *allocator)
{
        free(allocator);
}
