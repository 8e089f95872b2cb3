#include "master/pool/pool_budget.h"

#include <stddef.h>

#include "logic/policy/budget_turn.h"
#include "master/pool/pool.h"
#include "master/pool/tallies.h"
#include "master/pool/worker_table.h"
#include "os/clock.h"

static bool has_total(const struct budget *budget)
{
        return budget && budget->total > 0;
}

void pool_budget_note(struct pool *pool)
{
        if (!has_total(pool->runtime->budget))
                return;
        const struct worker_counts counts = worker_table_count(pool);
        const struct waiting *waiting = &pool->scaler.waiting;
        budget_turn_describe(&pool->budget, pool->config, pool->mode != POOL_OPEN, &counts, 0, waiting->wants,
                             waiting->since_ms, clock_now_ms());
}

void pool_budget_begin_turn(struct pool *pool)
{
        struct turn *turn = &pool->turn;

        if (!has_total(pool->runtime->budget)) {
                pool->scaler.waiting = (struct waiting){0};
                return;
        }
        if (turn->queued > 0)
                turn->accepted = tallies_accepted(pool);
        budget_turn_begin(pool->runtime->budget, &pool->budget, turn);
}

void pool_budget_end_turn(struct pool *pool)
{
        if (!has_total(pool->runtime->budget))
                return;
        const struct worker_counts counts = worker_table_count(pool);
        budget_turn_end(pool->runtime->budget, &pool->budget, &pool->turn, &counts, clock_now_ms());
}

void pool_budget_look(const struct budget *budget)
{
        const struct budget_row *next = has_total(budget) ? budget_next(budget, clock_now_ms()) : NULL;

        if (next)
                pool_touch(next->owner);
}
