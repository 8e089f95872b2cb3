#include "logic/policy/total_limit.h"

#include <syslog.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "logic/policy/turn.h"

/* How long connections wait before a pool that only max_workers_total keeps from growing is reported: mostly another
 * pool gives a place back. */
#define UNTOLD_TOTAL_MS 100

/* How long an idle worker may take to accept a connection that waits. */
#define WOKEN_LOOK_MS 10

/* True if the pool has all the workers that max_workers_total leaves it, and fewer than max_workers. */
bool total_limit_holds(const struct turn *turn)
{
        unsigned threads = pool_config_threads(turn->config);

        return turn_places(turn) < threads && (uint64_t)turn->rows.counts.total + threads <= turn->limits.max_workers;
}

/* Another pool is being asked for a place. */
bool total_limit_may_pass(const struct turn *turn)
{
        const struct waiting *waiting = &turn->scaling->waiting;

        return total_limit_holds(turn) &&
               (waiting->wants == 0 || turn->now_ms < saturated_add(waiting->begun_ms, UNTOLD_TOTAL_MS));
}

/* True of a pool that has neither a place nor a client: to `scale` its episode goes on, but nobody is kept waiting. */
bool total_limit_leaves_empty(const struct turn *turn)
{
        return turn->rows.counts.total == 0 && turn->queued == 0 && total_limit_holds(turn);
}

/* max_workers_total, as a max_workers that moves: as many as there are and as the pool may start, or without those that
 * it is asked to give back. */
void total_limit_apply(const struct turn *turn, unsigned total, struct scale_limits *limits)
{
        const struct budget_grant *grant = &turn->grant;
        uint64_t most = (uint64_t)total + grant->places;

        if (turn->total_limit == 0)
                return;
        if (grant->give > 0) { /* to `scale`, max_workers comes before min_spare */
                limits->min_spare = MIN_OF(limits->min_spare, total);
                if (grant->any)
                        limits->min_spare -= MIN_OF(limits->min_spare, MAX_OF(limits->unit, 1U));
                most = MAX_OF(total - MIN_OF(grant->give, total), limits->min_spare);
        }
        limits->max_workers = (unsigned)MIN_OF((uint64_t)limits->max_workers, most);
}

/* An idle worker beside a queue is just being woken, and is not given to another pool. The master is not told when it
 * has accepted, so it looks again soon. */
void total_limit_spare_woken(struct turn *turn, struct scale_decision *decision)
{
        unsigned idle = turn->rows.counts.idle, threads = pool_config_threads(turn->config);
        unsigned spare = idle - MIN_OF(idle, turn->queued);

        if (turn->total_limit == 0 || turn_places(turn) >= threads || idle == 0 || turn->queued == 0)
                return;
        turn_ask_at(turn, saturated_add(turn->now_ms, WOKEN_LOOK_MS));
        if (turn->grant.give > 0 && decision->retire_any && decision->retire > spare) {
                decision->retire = spare - spare % threads;
                decision->high_above = UINT32_MAX;
        }
}

/* The worker that is given to another pool though none is idle: the one whose request has begun last, because those
 * that have lasted long may last longer still. */
static uint32_t find_giving(const struct worker_rows *rows)
{
        uint32_t best = WORKER_ROW_NONE;

        for (uint32_t i = 0; i < rows->count; i++) {
                const struct worker_row *row = &rows->items[i];
                bool serves = worker_row_counts(row) && !worker_row_is_starting(row) && !row->idle;
                if (serves && (best == WORKER_ROW_NONE || row->since_ms > rows->items[best].since_ms))
                        best = i;
        }
        return best;
}

/* What is retired because the daemon has too few places; `decision` has ordered what is idle. */
void total_limit_give_back(struct turn *turn, unsigned ordered)
{
        uint32_t row = turn->grant.any && ordered == 0 ? find_giving(&turn->rows) : WORKER_ROW_NONE;

        if (row == WORKER_ROW_NONE)
                return;
        turn_record(turn, ORDER_RECORD, LOG_INFO, "-1 worker (max_workers_total = %u: another pool must have one)",
                    turn->total_limit);
        turn_retire(turn, row, "max_workers_total");
}

/* A pool that is full needs not be told that connections wait, except where other pools may give it a place. */
void total_limit_watch(struct turn *turn)
{
        const struct worker_counts *counts = &turn->rows.counts;

        if (!turn->scaling->scale.saturated || !total_limit_holds(turn) || turn_is_backing_off(turn) || turn->paused ||
            turn->closing_down)
                return;
        if (counts->idle > 0)
                turn->levels.low_below = 1;
        else if (counts->starting == 0 && turn->queued == 0)
                turn->levels.watch_listeners = true;
}
