/* The orders of a turn, carried out one after the other. Decides nothing. */
#pragma once

struct pool;

/* Carry out the orders of pool->turn. After a launch that fails the others of the turn are left out, and another
 * turn is asked for when launches may be tried again. */
void turn_orders_carry_out(struct pool *pool);
