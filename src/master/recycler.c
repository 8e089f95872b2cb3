/* The recycler: replaces workers that have reached their number of requests, their age or their size; the replacement
 * first where the pool has room, and never more than max_recycling at once. */
#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/pool.h"
#include "master/pool_worker.h"

static const char *asks_because(const struct pool_worker *worker)
{
        switch (atomic_load(&pool_worker_slot(worker)->recycle)) {
        case SCOREBOARD_RECYCLE_NONE:
                return NULL;
        case SCOREBOARD_RECYCLE_MEMORY:
                return "max_worker_memory";
        default:
                return "max_requests";
        }
}

static uint64_t too_old_at_ms(const struct pool_worker *worker)
{
        uint64_t age_ms = worker->pool->config->max_worker_age_ms;

        return age_ms > 0 ? worker->forked_ms + age_ms : POOL_NEVER_MS;
}

/* A pool with more idle workers than it wants, or that starts them on demand only, needs none in the place of one that
 * goes. */
static bool needs_replacement(const struct pool *pool, const struct pool_counts *counts)
{
        return pool->config->scaling != SCALING_ONDEMAND && counts->idle <= pool_scale_limits(pool).max_spare;
}

static void begin(struct pool_worker *worker, const char *reason)
{
        struct pool *pool = worker->pool;
        const struct pool_counts counts = pool_count(pool);
        bool has_room = counts.total < pool_scale_limits(pool).max_workers;

        worker->recycling = true;
        pool_decide(pool, LOG_DEBUG, "recycling worker %d (%s, %llu requests)", (int)worker->pid, reason,
                    (unsigned long long)atomic_load(&pool_worker_slot(worker)->requests_ended));
        if (has_room && needs_replacement(pool, &counts)) {
                worker->replacement = pool_worker_fork(pool, WORKER_ROLE_SERVE, NULL, "recycle");
                if (worker->replacement)
                        worker->replacement->replaces = worker;
        }
        if (!worker->replacement)
                pool_worker_retire(worker, reason);
}

/* One that is being recycled: its replacement is ready, or came to nothing. */
static void follow_up(struct pool_worker *worker)
{
        if (worker->retired || (worker->replacement && worker->replacement->state == WORKER_STARTING))
                return;
        if (worker->replacement) {
                pool_worker_retire(worker, "recycled");
                return;
        }
        worker->recycling = false; /* it serves on, and asks again */
        pool_worker_answer(worker, SCOREBOARD_ANSWER_LATER);
}

uint64_t recycler_step(struct pool *pool, uint64_t now_ms)
{
        uint64_t next_ms = POOL_NEVER_MS, in_progress = 0;

        for (struct pool_worker *worker = pool->workers; worker; worker = worker->next)
                in_progress += worker->recycling;
        for (struct pool_worker *worker = pool->workers; worker; worker = worker->next) {
                if (worker->recycling) {
                        follow_up(worker);
                        continue;
                }
                if (worker->state != WORKER_READY || !pool_worker_counts(worker) || worker->for_roll)
                        continue;
                const char *reason = asks_because(worker);
                bool asked = reason != NULL;
                if (!asked && now_ms >= too_old_at_ms(worker))
                        reason = "max_worker_age";
                if (reason && in_progress < pool->config->max_recycling) {
                        begin(worker, reason);
                        in_progress++;
                } else if (asked)
                        pool_worker_answer(worker, SCOREBOARD_ANSWER_LATER);
                else if (!reason) /* the turn of those that are too old comes when one of the others has gone */
                        next_ms = MIN_OF(next_ms, too_old_at_ms(worker));
        }
        return next_ms;
}
