#include "master/pool/pool_turn.h"

#include "logic/policy/policies.h"
#include "master/pool/deadlines.h"
#include "master/pool/health.h"
#include "master/pool/launcher_template.h"
#include "master/pool/pool.h"
#include "master/pool/pool_budget.h"
#include "master/pool/pool_counters.h"
#include "master/pool/pool_history.h"
#include "master/pool/pool_snapshot.h"
#include "master/pool/scaler.h"
#include "master/pool/turn_orders.h"
#include "os/clock.h"

/* If memory is too short for a turn, it is tried again after this. */
#define SHORT_OF_MEMORY_MS 100

/* True if a closing pool has no process and no listener left. */
static bool is_done(const struct pool *pool)
{
        return pool->mode != POOL_OPEN && pool->workers.count == 0 && pool->closing.count == 0 &&
               !pool->templates.first;
}

static void decide_and_act(struct pool *pool, uint64_t now_ms)
{
        /* Clear notify_busy first: a request that begins meanwhile is either seen by the snapshot or finds the flag set
         * again. */
        deadlines_hush(pool);
        if (pool_snapshot_take(pool, now_ms) == 0) {
                policies_decide(&pool->turn);
                turn_orders_carry_out(pool);
                scaler_publish(pool);
                scaler_note_turn(pool);
                deadlines_publish(pool);
                pool_budget_end_turn(pool);
                pool_history_see(pool, clock_now_ms());
        } else
                turn_ask_at(&pool->turn, now_ms + SHORT_OF_MEMORY_MS);
        pool_snapshot_end(pool);
}

void pool_turn_take(struct pool *pool)
{
        const struct pool_observer *observer = &pool->runtime->observer;
        const struct budget *budget = pool->runtime->budget;
        uint64_t now_ms = clock_now_ms();

        pool_begin_turn(pool);
        launcher_template_note_generation(pool);
        observer->changed(observer->context, pool);
        health_note_success(pool);
        pool_counters_note_rate(pool, now_ms, pool->health.requests_seen);
        pool_history_note(pool, now_ms);
        decide_and_act(pool, now_ms);
        launcher_template_tend(pool);
        if (pool->turn.again)
                pool_touch(pool);
        if (is_done(pool))
                observer->done(observer->context, pool);
        else
                pool_end_turn(pool, pool->turn.next_ms);
        pool_budget_look(budget);
}
