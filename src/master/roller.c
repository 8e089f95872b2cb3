/* The roller: replaces the workers of older generations after a reload that changed how workers run; new ones first,
 * within reload_surge. */
#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/pool.h"
#include "master/pool_worker.h"

struct roll {
        unsigned old_workers; /* of older generations, not retired */
        unsigned in_flight;   /* replacements that are starting, and old ones that still serve their last request */
        unsigned starting;    /* replacements that are starting */
        unsigned surge;       /* the most that may be in flight */
};

static struct roll look(const struct pool *pool)
{
        struct roll roll = {0};
        unsigned workers = 0;

        for (const struct pool_worker *worker = pool->workers; worker; worker = worker->next) {
                if (worker->role != WORKER_ROLE_SERVE)
                        continue;
                bool is_old = worker->generation < pool->generation;
                workers += pool_worker_counts(worker);
                roll.old_workers += is_old && pool_worker_counts(worker);
                roll.starting += worker->for_roll && worker->state == WORKER_STARTING;
                roll.in_flight += (worker->for_roll && worker->state == WORKER_STARTING) ||
                                  (is_old && worker->state == WORKER_RETIRING);
        }
        unsigned share = (unsigned)((workers * pool->config->reload_surge_percent + 99) / 100);
        roll.surge = MAX_OF(share, 1U);
        return roll;
}

/* The old worker whose going costs least: an idle one, then one that is not ready, then a busy one. */
static struct pool_worker *pick_old(const struct pool *pool)
{
        struct pool_worker *starting = NULL, *busy = NULL;

        for (struct pool_worker *worker = pool->workers; worker; worker = worker->next) {
                if (worker->generation >= pool->generation || !pool_worker_counts(worker))
                        continue;
                if (pool_worker_is_idle(worker))
                        return worker;
                if (worker->state == WORKER_STARTING)
                        starting = worker;
                else
                        busy = worker;
        }
        return starting ? starting : busy;
}

uint64_t roller_step(struct pool *pool, uint64_t now_ms)
{
        struct roll roll = look(pool);

        (void)now_ms;
        if (roll.old_workers == 0) {
                pool->roll_ready = 0;
                return POOL_NEVER_MS;
        }
        /* Workers of the old generation stay as long as old listeners have connections that only they can take. */
        for (; pool->roll_ready > 0 && roll.old_workers > 0 && pool->closing.count == 0; pool->roll_ready--) {
                pool_worker_retire(pick_old(pool), "roll");
                roll.old_workers--;
        }
        if (backoff_active(&pool->backoff, now_ms) || pool->draining)
                return POOL_NEVER_MS;
        unsigned forked = 0;
        while (roll.in_flight < roll.surge && roll.starting + pool->roll_ready < roll.old_workers) {
                struct pool_worker *worker = pool_worker_fork(pool, WORKER_ROLE_SERVE, NULL, "roll");
                if (!worker)
                        break;
                worker->for_roll = true;
                roll.in_flight++;
                roll.starting++;
                forked++;
        }
        if (forked > 0)
                pool_decide(pool, LOG_INFO, "+%u worker%s (generation %llu, %u of older ones left)", forked,
                            forked == 1 ? "" : "s", (unsigned long long)pool->generation, roll.old_workers);
        return POOL_NEVER_MS;
}
