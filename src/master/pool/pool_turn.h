/* A pool's turn: a snapshot of the pool, what the policies make of it (logic/policy/policies), and their orders carried
 * out.
 *
 * Called from the event loop alone, by way of the pools' runtime. Policies look at levels, never at what happened, so
 * that nothing is lost when events fall together, and say when they want to be asked again. */
#pragma once

struct pool;

/* Look at the pool and act. It may be gone afterwards. */
void pool_turn_take(struct pool *pool);
