/* The pools' side of max_workers_total: the row of each pool in the budget that all share, and who takes a turn next.
 * logic/policy/budget decides. It alone writes pool->budget; pool puts the row into the
 * list.
 *
 * What must stay true: pool_budget_look() follows each turn, or a place stays free while somebody waits for it. */
#pragma once

struct budget;
struct pool;

/* Write the row of a pool that takes no turn: it begins to serve, with workers it has, or the total has changed. */
void pool_budget_note(struct pool *pool);

/* The snapshot was taken: write the row, and fill in what the budget leaves the pool. */
void pool_budget_begin_turn(struct pool *pool);

/* The orders were carried out: write the row. */
void pool_budget_end_turn(struct pool *pool);

/* Touch the pool that the next place is for, or that is to give one back. */
void pool_budget_look(const struct budget *budget);
