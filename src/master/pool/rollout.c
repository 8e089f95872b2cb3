#include "master/pool/rollout.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/pool/health.h"
#include "master/pool/launcher.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "master/pool/worker_table.h"

/* How many more may be started ahead. Requests that go on in retired workers count, as long as they take room: with that a
 * roll waits for them, but only if the pool is full. */
static unsigned may_start(const struct pool *pool, const struct pool_counts *counts)
{
        uint64_t most = MIN_OF(MAX_OF(pool_config_surge(pool->config), (uint64_t)1), (uint64_t)counts->old_total);
        unsigned room = worker_table_surge_room(pool);

        return counts->surge < most ? (unsigned)MIN_OF(most - counts->surge, (uint64_t)room) : 0;
}

/* The old worker whose going costs least: an idle one, then one that is not ready, then a busy one. */
static struct worker *pick_old(const struct pool *pool)
{
        struct worker *starting = NULL, *busy = NULL;

        for (struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                if (worker->generation >= pool->generation || !worker_counts(worker))
                        continue;
                if (worker_is_idle(worker))
                        return worker;
                if (worker->state == WORKER_STARTING)
                        starting = worker;
                else
                        busy = worker;
        }
        return starting ? starting : busy;
}

uint64_t rollout_step(struct pool *pool, uint64_t now_ms)
{
        struct pool_counts counts = worker_table_count(pool);

        if (pool->workers.refuser && pool->workers.refuser->generation < pool->generation) /* it knows the old listeners */
                worker_retire(pool->workers.refuser, "roll");
        if (counts.old_total == 0) {
                pool->rollout.ready = 0;
                return POOL_NEVER_MS;
        }
        /* Workers of the old generation stay as long as old listeners have connections that only they can take. */
        for (; pool->rollout.ready > 0 && counts.old_total > 0 && pool->closing.count == 0; pool->rollout.ready--) {
                worker_retire(pick_old(pool), "roll");
                counts.old_total--;
                counts.surge--;
        }
        if (health_is_backing_off(pool, now_ms) || pool->draining)
                return POOL_NEVER_MS;
        unsigned forked = 0;
        for (unsigned wanted = may_start(pool, &counts); forked < wanted; forked++)
                if (launcher_start(pool, WORKER_ROLL, NULL, "roll", NULL) < 0)
                        break;
        if (forked > 0)
                pool_record(pool, LOG_INFO, "+%u worker%s (generation %llu, %u of older ones left)", forked,
                            forked == 1 ? "" : "s", (unsigned long long)pool->generation, counts.old_total);
        return POOL_NEVER_MS;
}

/* What a roll that is under way has started belongs to the old ones now. */
void rollout_begin_generation(struct pool *pool)
{
        pool->generation++;
        pool->rollout.ready = 0;
        for (struct worker *worker = pool->workers.first; worker; worker = worker->next)
                if (worker->purpose == WORKER_ROLL)
                        worker->purpose = WORKER_SERVE;
}

void rollout_note_ready(struct pool *pool, struct worker *worker)
{
        if (worker->purpose != WORKER_ROLL)
                return;
        pool->rollout.ready++;
        worker->purpose = WORKER_SERVE;
}
