#include "logic/policy/budget_turn.h"

#include "base/cleanup.h"
#include "logic/policy/scaling.h"
#include "logic/policy/turn.h"

void budget_turn_describe(struct budget_row *row, const struct pool_config *config, bool closing_down,
                          const struct worker_counts *counts, unsigned queued, unsigned wants, uint64_t since_ms,
                          uint64_t now_ms)
{
        unsigned ending = counts->places - MIN_OF(counts->total, counts->places);
        bool is_static = !closing_down && config->scaling == SCALING_STATIC;

        if (ending > row->ending)
                row->ending_ms = now_ms;
        row->unit = pool_config_threads(config);
        row->used = counts->places;
        row->ending = ending;
        row->idle = counts->idle - MIN_OF(counts->idle, queued);
        row->pledged = counts->starting + counts->idle - row->idle;
        row->keeps = closing_down || is_static ? 0 : (unsigned)config->min_spare_workers;
        row->gives_none = is_static;
        row->wants = wants;
        row->since_ms = since_ms;
        unsigned urgent = is_static ? wants : counts->total == 0 ? MIN_OF(wants, row->unit) : 0;
        if (row->urgent == 0)
                row->urgent_ms = now_ms;
        row->urgent = urgent;
}

void budget_turn_begin(const struct budget *budget, struct budget_row *row, struct turn *turn)
{
        const struct waiting *waiting = &turn->scaling->waiting;

        scaling_note_waiting(turn);
        budget_turn_describe(row, turn->config, turn->closing_down, &turn->rows.counts, turn->queued, waiting->wants,
                             waiting->since_ms, turn->now_ms);
        turn->total_limit = budget->total;
        turn->grant = budget_grant(budget, row, turn->now_ms);
        row->granted = turn->grant.places;
}

void budget_turn_end(const struct budget *budget, struct budget_row *row, const struct turn *turn,
                     const struct worker_counts *counts, uint64_t now_ms)
{
        const struct waiting *waiting = &turn->scaling->waiting;
        unsigned used = row->used, live = used - MIN_OF(row->ending, used);
        unsigned launched = counts->places - MIN_OF(used, counts->places);

        budget_turn_describe(row, turn->config, turn->closing_down, counts, turn->queued,
                             waiting->wants - MIN_OF(waiting->wants, launched), waiting->since_ms, now_ms);
        unsigned live_now = row->used - row->ending, given = live - MIN_OF(live, live_now);
        uint64_t all = budget_used(budget);
        bool unmet = turn->grant.give > given;
        row->asked = !unmet ? BUDGET_NOT_ASKED : turn->grant.any ? BUDGET_ANY : BUDGET_SPARE;
        bool in_vain = row->wants > 0 && launched == 0 && row->granted >= row->unit && all < budget->total;
        row->in_vain = in_vain ? (unsigned)(budget->total - all) : 0;
}
