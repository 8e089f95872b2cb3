/* A pool's turn: takes a snapshot of the pool, lets the policies decide (logic/policy/policies), and carries out their
 * orders.
 *
 * Called only from the event loop, through pool_runtime.turn. Policies look at levels, never at events, so that nothing
 * is lost when events coincide, and they set the time of the next turn. */
#pragma once

struct pool;

/* Take a turn. The pool may be freed afterwards. */
void pool_turn_take(struct pool *pool);
