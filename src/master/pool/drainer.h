/* The drainer: sees listeners that close to their end. What the kernel has accepted on them is served first; only then
 * are they closed, and the workers that were there for them alone retired. */
#pragma once

#include <stdint.h>

struct pool;
struct pool_listener;

/* The step: look at the pool, act, and say when to look again (ms of the clock, or POOL_NEVER_MS). */
uint64_t drainer_step(struct pool *pool, uint64_t now_ms);

/* Let a listener drain; `item` is one of pool->listeners and not valid any more. Workers of generations up to
 * `last_generation` have it. Cannot fail: room was reserved when it was opened. */
void drainer_close_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation);
