#include "master/pool/pool_turn.h"

#include "base/cleanup.h"
#include "master/pool/deadlines.h"
#include "master/pool/drainer.h"
#include "master/pool/health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/recycler.h"
#include "master/pool/rollout.h"
#include "master/pool/scaler.h"
#include "master/pool/worker.h"
#include "master/pool/worker_table.h"
#include "os/clock.h"

/* Workers that have become able to serve. */
static void note_ready(struct pool *pool)
{
        for (struct worker *worker = pool->workers.first; worker; worker = worker->next)
                if (worker->state == WORKER_STARTING && worker_serves(worker) &&
                    atomic_load(&worker_slot(worker)->activity) != SCOREBOARD_STARTING) {
                        worker_event(worker, WORKER_EVENT_READY);
                        rollout_note_ready(pool, worker);
                }
}

/* Its last process is reaped, and nothing is left to drain. */
static bool is_done(const struct pool *pool)
{
        return pool->draining && pool->workers.count == 0 && pool->closing.count == 0;
}

void pool_turn_take(struct pool *pool)
{
        static uint64_t (*const steps[])(struct pool *pool, uint64_t now_ms) = {
                recycler_step, rollout_step, scaler_step, deadlines_step, drainer_step};
        const struct pool_observer *observer = &pool->runtime->observer;
        uint64_t next_ms = POOL_NEVER_MS, now_ms = clock_now_ms();

        pool_begin_turn(pool);
        observer->changed(observer->context, pool);
        note_ready(pool);
        health_note_success(pool);
        pool_counters_note_rate(pool, now_ms, worker_table_requests(pool));
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                uint64_t step_ms = steps[i](pool, now_ms);
                next_ms = MIN_OF(next_ms, step_ms);
        }
        if (is_done(pool))
                observer->done(observer->context, pool);
        else
                pool_end_turn(pool, next_ms);
}
