/* A pool's turn: each concern takes its step: readiness, recycling, rolling, scaling, deadlines, draining.
 *
 * Called from the event loop alone, by way of the pools' runtime. Steps look at levels, never at what happened, so that
 * nothing is lost when events fall together; each returns when it wants to be asked again (ms of the clock, or
 * POOL_NEVER_MS). */
#pragma once

struct pool;

/* Look at the pool and act. It may be gone afterwards. */
void pool_turn_take(struct pool *pool);
