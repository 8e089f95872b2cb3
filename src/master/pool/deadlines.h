/* The deadlines: of starting, of requests, of escalations, of retirement. Looked at when one may have passed; the
 * workers wake us at the beginning of a request only while no deadline of a request is armed. */
#pragma once

#include <stdint.h>

struct pool;

/* The step: look at the pool, act, and say when to look again (ms of the clock, or POOL_NEVER_MS). */
uint64_t deadlines_step(struct pool *pool, uint64_t now_ms);
