/* Allocates the slots of a scoreboard, the lowest free ones first, so that the idle set stays short. A worker with
 * several threads has a run of slots, one behind the other. Pure. */
#pragma once

#include <stdint.h>

struct slot_allocator;

/* Make an allocator for `count` slots, a multiple of 64. 0 or -ENOMEM. */
int slot_allocator_new(uint32_t count, struct slot_allocator **ret);

/* Take the lowest run of `count` ≥ 1 free slots; *ret is its first. 0, or -ENOSPC. */
int slot_allocator_take(struct slot_allocator *allocator, uint32_t count, uint32_t *ret);

/* Take the run of `count` ≥ 1 slots that begins with `first`. 0; -EINVAL: there are no such slots; -EBUSY: one of them
 * is taken. On failure nothing has changed. */
int slot_allocator_claim(struct slot_allocator *allocator, uint32_t first, uint32_t count);

/* Give `count` slots back that were taken. */
void slot_allocator_release(struct slot_allocator *allocator, uint32_t first, uint32_t count);

void slot_allocator_free(struct slot_allocator *allocator);
