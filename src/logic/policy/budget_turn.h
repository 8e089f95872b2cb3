/* A pool's row in the budget that all pools share, before and after its turn. Pure. */
#pragma once

#include <stdint.h>

#include "logic/policy/budget.h"

struct pool_config;
struct turn;
struct waiting;
struct worker_counts;

/* Write what the workers of a pool take up, with `queued` connections waiting, and that it wants `wants` more for those
 * that have waited since `since_ms`. */
void budget_turn_describe(struct budget_row *row, const struct pool_config *config, bool closing_down,
                          const struct worker_counts *counts, unsigned queued, unsigned wants, uint64_t since_ms,
                          uint64_t now_ms);

/* The snapshot was taken: describe the pool, and fill in what the budget leaves it. */
void budget_turn_begin(const struct budget *budget, struct budget_row *row, struct turn *turn);

/* The orders of the turn were carried out: describe the pool as it is now, with `counts`, and remember whether a look
 * was in vain. */
void budget_turn_end(const struct budget *budget, struct budget_row *row, const struct turn *turn,
                     const struct worker_counts *counts, uint64_t now_ms);
