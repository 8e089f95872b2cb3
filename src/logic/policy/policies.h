/* The five policies of a pool's turn, in their order. Pure. */
#pragma once

struct turn;

/* Decide a turn whose facts are complete: rows, orders, levels and next_ms are the outcome. */
void policies_decide(struct turn *turn);
