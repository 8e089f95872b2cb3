/* The recycler: replaces workers that have reached their number of requests, their age or their size; the replacement
 * first where the pool has room, and never more than max_recycling at once. */
#pragma once

#include <stdint.h>

struct pool;

/* The step: look at the pool, act, and say when to look again (ms of the clock, or POOL_NEVER_MS). */
uint64_t recycler_step(struct pool *pool, uint64_t now_ms);
