/* Carries out the orders of a turn, in sequence. Decides nothing. Called by pool_turn. */
#pragma once

struct pool;

/* Carry out the orders of pool->turn. After a failed launch, the other launches of the turn are skipped, and another
 * turn is requested for when launches may be tried again. */
void turn_orders_carry_out(struct pool *pool);
