/* Allocates the slots of a scoreboard, the lowest free one first, so that the idle set stays short. Pure. */
#pragma once

#include <stdint.h>

struct slot_allocator;

/* Make an allocator for `count` slots, a multiple of 64. 0 or -ENOMEM. */
int slot_allocator_new(uint32_t count, struct slot_allocator **ret);

/* Take the lowest free slot. 0, or -ENOSPC. */
int slot_allocator_take(struct slot_allocator *allocator, uint32_t *ret);

/* Take this slot. 0; -EINVAL: there is no such slot; -EBUSY: it is taken. */
int slot_allocator_claim(struct slot_allocator *allocator, uint32_t slot);

/* Give a taken slot back. */
void slot_allocator_release(struct slot_allocator *allocator, uint32_t slot);

void slot_allocator_free(struct slot_allocator *allocator);
