#include "master/pool/pool_orders.h"

#include "base/log.h"
#include "master/pool/pool.h"
#include "master/pool/pool_table.h"
#include "master/pool/worker.h"

void pool_order_restart(struct pool *pool, const char *by)
{
        pool_begin_generation(pool);
        pool_record(pool, LOG_NOTICE, "generation %llu (restarted by %s)", (unsigned long long)pool->generation, by);
        pool_touch(pool);
}

void pool_order_pause(struct pool *pool, const char *by)
{
        if (pool->paused)
                return;
        pool->paused = true;
        pool->scale = (struct scale_state){0}; /* nobody is missed who is not wanted */
        pool_record(pool, LOG_NOTICE, "paused: clients wait until it is resumed (%s)", by);
        /* Those that drain closing listeners have nothing to do with the pool's own. */
        for (struct worker *worker = pool->workers; worker; worker = worker->next)
                if (!worker->drains)
                        worker_retire(worker, "paused");
        pool_touch(pool);
}

void pool_order_resume(struct pool *pool, const char *by)
{
        if (!pool->paused)
                return;
        pool->paused = false;
        pool->started = false; /* start_workers at once, as at the first start */
        pool_record(pool, LOG_NOTICE, "resumed (%s)", by);
        pool_touch(pool);
}

const struct pool *pool_order_kill_worker(const struct pool_table *pools, pid_t pid, const char *by)
{
        for (size_t i = 0; i < pools->count; i++) {
                struct pool *pool = pools->items[i];
                for (struct worker *worker = pool->workers; worker; worker = worker->next) {
                        if (worker->pid != pid)
                                continue;
                        pool_record(pool, LOG_NOTICE, "killing worker %d (%s)", (int)pid, by);
                        worker_event(worker, WORKER_EVENT_STOP_NOW);
                        pool_touch(pool);
                        return pool;
                }
        }
        return NULL;
}
