/* The five policies of a pool's turn, in their order. Pure. */
#pragma once

struct turn;

/* Decide a turn whose inputs are complete. Sets rows, orders, levels, next_ms and again. Called by
 * master/pool/pool_turn. */
void policies_decide(struct turn *turn);
