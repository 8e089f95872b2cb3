#include "logic/policy/roll.h"

#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "logic/policy/drain.h"
#include "logic/policy/turn.h"

/* How many more workers the roll may start now. Retired workers that still serve a request take up room, so the roll of
 * a full pool waits for them. What is less than a whole worker takes one. */
static unsigned may_start(const struct turn *turn)
{
        const struct worker_counts *counts = &turn->rows.counts;
        uint64_t threads = pool_config_threads(turn->config);
        uint64_t most = MIN_OF(MAX_OF(pool_config_surge(turn->config), threads), (uint64_t)counts->old_total);

        if (counts->surge >= most)
                return 0;
        return (unsigned)MIN_OF((most - counts->surge + threads - 1) / threads, (uint64_t)turn_room_ahead(turn));
}

/* The old worker that is cheapest to lose: an idle one, then a starting one, then a busy one; of busy ones, one with
 * the most idle threads. */
static uint32_t pick_old(const struct worker_rows *rows)
{
        uint32_t starting = WORKER_ROW_NONE, busy = WORKER_ROW_NONE;

        for (uint32_t i = 0; i < rows->count; i++) {
                const struct worker_row *row = &rows->items[i];
                if (!worker_row_is_old(rows, row) || !worker_row_counts(row))
                        continue;
                if (row->idle)
                        return i;
                if (worker_row_is_starting(row))
                        starting = i;
                else if (busy == WORKER_ROW_NONE ||
                         worker_row_idle_slots(row) >= worker_row_idle_slots(&rows->items[busy]))
                        busy = i;
        }
        return starting != WORKER_ROW_NONE ? starting : busy;
}

/* Retire old workers for a new one: with as many slots as it has, in whole workers, if threads_per_worker has changed.
 */
static void retire_for(struct turn *turn, unsigned slots)
{
        struct worker_rows *rows = &turn->rows;
        unsigned before = rows->counts.old_total, left;

        do {
                left = rows->counts.old_total;
                if (left > 0)
                        turn_retire(turn, pick_old(rows), "roll");
        } while (rows->counts.old_total < left && before - rows->counts.old_total < slots);
}

/* Retire an old worker for each new one that is ready. The new one then becomes an ordinary worker, also if no old one
 * was left. */
static void hand_over(struct turn *turn)
{
        struct worker_rows *rows = &turn->rows;

        for (uint32_t i = 0; i < rows->count; i++) {
                const struct worker_row *row = &rows->items[i];
                if (row->purpose != WORKER_ROLL || !worker_row_counts(row) || worker_row_is_old(rows, row) ||
                    worker_row_is_starting(row))
                        continue;
                retire_for(turn, worker_row_slots(row));
                turn_settle(turn, i);
        }
}

/* max_workers_total leaves no place for a new worker: an old one goes first, and its place is taken when it has ended.
 * At most as many are on their way as a roll may otherwise start ahead. */
static void retire_first(struct turn *turn)
{
        const struct worker_counts *counts = &turn->rows.counts;
        unsigned threads = pool_config_threads(turn->config), ending = counts->retiring - counts->helpers;

        if (may_start(turn) > 0 && turn_places(turn) < threads && counts->surge == 0 &&
            ending < MAX_OF(pool_config_surge(turn->config), (uint64_t)threads))
                turn_retire(turn, pick_old(&turn->rows), "roll");
}

/* What inetd calls wait is started when something waits, and not ahead. */
static void retire_old(struct turn *turn)
{
        for (uint32_t i = 0; i < turn->rows.count; i++)
                if (worker_row_counts(&turn->rows.items[i]) && worker_row_is_old(&turn->rows, &turn->rows.items[i]))
                        turn_retire(turn, i, "roll");
}

void roll_decide(struct turn *turn)
{
        const struct worker_counts *counts = &turn->rows.counts;
        uint32_t refuser = worker_rows_find_refuser(&turn->rows);
        char why[80];

        if (refuser != WORKER_ROW_NONE && worker_row_is_old(&turn->rows, &turn->rows.items[refuser]))
                turn_retire(turn, refuser, "roll"); /* it knows the old listeners */
        /* Old workers stay while closing listeners have connections that only they can take. */
        bool may_retire = counts->old_total == 0 || turn_closing_left(turn) == 0 || drain_waits_for_roll(turn);
        if (may_retire)
                (pool_config_is_wait(turn->config) ? retire_old : hand_over)(turn);
        if (pool_config_is_wait(turn->config) || counts->old_total == 0 || turn_is_backing_off(turn) ||
            turn->closing_down)
                return;
        if (may_retire)
                retire_first(turn);
        snprintf(why, sizeof(why), "generation %llu, %u of older ones left", (unsigned long long)turn->rows.generation,
                 counts->old_total);
        const struct launch launch = {.purpose = WORKER_ROLL, .count = may_start(turn), .reason = "roll", .why = why};
        turn_launch(turn, &launch);
}
