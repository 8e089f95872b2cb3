#include "master/pool/pool_snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "master/pool/drainer.h"
#include "master/pool/health.h"
#include "master/pool/listener_health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_budget.h"
#include "master/pool/pressure_gauge.h"
#include "master/pool/scaler.h"
#include "master/pool/start_meter.h"
#include "master/pool/tallies.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"

static int take_workers(struct pool *pool, uint64_t now_ms)
{
        struct worker_rows *rows = &pool->turn.rows;

        const struct worker *started = NULL;
        unsigned at_once = 0;

        int r = worker_rows_reserve(rows, pool->workers.count);
        if (r < 0)
                return r;
        for (struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                bool was_starting = worker->life.state == WORKER_STARTING;
                worker_note_ready(worker, now_ms);
                if (was_starting && worker->life.state == WORKER_READY) {
                        started = worker;
                        at_once++;
                }
                const struct worker_row row = worker_row_of(worker, now_ms);
                worker->row = worker_rows_add(rows, &row);
        }
        if (started)
                start_meter_note(started, at_once + rows->counts.starting, now_ms);
        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next)
                if (worker->replacement)
                        worker_rows_link(rows, worker->row, worker->replacement->row);
        return 0;
}

static int take_closing(struct pool *pool)
{
        struct turn *turn = &pool->turn;

        if (pool->closing.count == 0)
                return 0;
        turn->closing = calloc(pool->closing.count, sizeof(*turn->closing));
        if (!turn->closing)
                return -ENOMEM;
        turn->closing_count = pool->closing.count;
        for (size_t i = 0; i < turn->closing_count; i++)
                turn->closing[i] = drainer_row_of(&pool->closing.items[i]);
        return 0;
}

static void take_numbers(struct pool *pool)
{
        struct turn *turn = &pool->turn;

        turn->config = pool->config;
        turn->limits = pool_scale_limits(pool);
        /* One more than the limit, for the refuser. */
        turn->process_limit = (unsigned)MIN_OF(pool_config_process_limit(pool->config), (uint64_t)UINT32_MAX - 1) + 1;
        turn->closing_down = pool->mode != POOL_OPEN;
        turn->killing = pool->mode == POOL_ENDING;
        turn->paused = pool->wanted == POOL_PAUSED;
        turn->not_before_ms = pool->health.backoff.not_before_ms;
        turn->refused = tallies_refused_full(pool);
        turn->low_water = scaler_low_water(pool);
        turn->scaling = &pool->scaler;
}

/* After the workers: one that accepts meanwhile is seen as idle still, so that the pool starts too few rather than too
 * many, and its going wakes the master. */
static void take_queue(struct pool *pool)
{
        pool->turn.queued = listener_set_queued(pool->mode == POOL_OPEN ? &pool->listeners : &pool->closing);
        if (pool->closing.count > 0) /* nobody else asks */
                pool->turn.accepted = tallies_accepted(pool);
}

int pool_snapshot_take(struct pool *pool, uint64_t now_ms)
{
        turn_begin(&pool->turn, now_ms, pool->generation);
        scaler_begin_turn(pool);
        take_numbers(pool);
        int r = take_workers(pool, now_ms);
        pool->turn.worth = start_meter_worth(pool);
        listener_health_take(pool);
        take_queue(pool);
        pool_budget_begin_turn(pool);
        if (r == 0)
                r = scaler_take_levels(pool);
        if (r == 0)
                r = take_closing(pool);
        if (r == 0)
                pressure_gauge_take(pool);
        return r;
}

void pool_snapshot_end(struct pool *pool)
{
        free(TAKE_PTR(pool->turn.level_busy_ms));
        pool->turn.level_count = 0;
        free(TAKE_PTR(pool->turn.closing));
        pool->turn.closing_count = 0;
}
