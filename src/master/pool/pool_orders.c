#include "master/pool/pool_orders.h"

#include "base/log.h"
#include "master/pool/board_renewal.h"
#include "master/pool/drainer.h"
#include "master/pool/listener_health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/pool_fallback.h"
#include "master/pool/pool_table.h"
#include "master/pool/scaler.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"
#include "master/pool/worker_table.h"
#include "os/clock.h"

void pool_orders_adopt(struct pool *pool, enum pool_mode mode, enum pool_wanted wanted)
{
        pool->mode = mode;
        pool->wanted = wanted;
}

void pool_order_restart(struct pool *pool, const char *by)
{
        pool_begin_generation(pool);
        board_renewal_begin(pool);
        pool_record(pool, LOG_NOTICE, "generation %llu (restarted by %s)", (unsigned long long)pool->generation, by);
        pool_fallback_renew(pool);
        listener_health_examine_twice(pool);
}

void pool_order_pause(struct pool *pool, const char *by)
{
        uint64_t now_ms = clock_now_ms();

        if (pool->wanted == POOL_PAUSED)
                return;
        pool->wanted = POOL_PAUSED;
        scaler_forget(pool);
        pool_record(pool, LOG_NOTICE, "paused: clients wait until it is resumed (%s)", by);
        /* Helpers serve closing listeners only, so they go on. */
        for (struct worker *worker = pool->workers.first; worker; worker = worker->next)
                if (worker->purpose != WORKER_DRAIN)
                        worker_retire(worker, "paused", now_ms);
        pool_touch(pool);
}

void pool_order_resume(struct pool *pool, const char *by)
{
        if (pool->wanted != POOL_PAUSED)
                return;
        pool->wanted = POOL_SERVING;
        scaler_restart(pool);
        pool_record(pool, LOG_NOTICE, "resumed (%s)", by);
        pool_touch(pool);
}

void pool_order_drain(struct pool *pool, const char *by)
{
        if (pool->draining || pool->mode != POOL_OPEN)
                return;
        pool->draining = true;
        pool_record(pool, LOG_NOTICE, "draining: serves on, and balancers are to send nobody else (%s)", by);
}

void pool_order_undrain(struct pool *pool, const char *by)
{
        if (!pool->draining)
                return;
        pool->draining = false;
        pool_record(pool, LOG_NOTICE, "draining no longer (%s)", by);
}

/* End the worker and its handler. Returns how many requests that ends. */
static unsigned stop_now(struct worker *worker, uint64_t now_ms)
{
        bool told = worker->life.state == WORKER_ENDING || worker->life.state == WORKER_KILLED;
        unsigned aborts = told ? 0 : worker_busy_slots(worker);

        for (unsigned i = 0; i < aborts; i++)
                pool_counters_note(worker->pool, COUNTER_aborted);
        worker_event(worker, WORKER_EVENT_STOP_NOW, now_ms);
        return aborts;
}

const struct pool *pool_order_kill_worker(const struct pool_table *pools, pid_t pid, const char *by)
{
        for (size_t i = 0; i < pools->count; i++) {
                struct pool *pool = pools->items[i];
                struct worker *worker = worker_table_find(pool, pid);
                if (!worker)
                        continue;
                bool aborts = stop_now(worker, clock_now_ms());
                pool_record(pool, LOG_NOTICE, "killing worker %d%s (%s)", (int)pid, aborts ? " and its request" : "",
                            by);
                pool_touch(pool);
                return pool;
        }
        return NULL;
}

void pool_order_close(struct pool *pool, struct pool_config *own_config, const char *why)
{
        if (own_config) {
                pool->own_config = own_config;
                pool_set_config(pool, own_config);
        }
        if (pool->mode != POOL_OPEN)
                return;
        pool->mode = POOL_CLOSING;
        pool->wanted = POOL_SERVING; /* end a pause: the waiting connections are served before the listeners close */
        pool_record(pool, LOG_INFO, "closing (%s)", why);
        /* Room was reserved when the listeners were opened, because a stop must not fail when memory is short. */
        while (pool->listeners.count > 0)
                drainer_close_listener(pool, &pool->listeners.items[0], pool->generation);
        listener_set_close(&pool->listening.missing);
        pool_touch(pool);
}

void pool_order_kill(struct pool *pool, const char *by)
{
        uint64_t now_ms = clock_now_ms();
        unsigned aborted = 0;

        pool->mode = POOL_ENDING;
        for (struct worker *worker = pool->workers.first; worker; worker = worker->next)
                aborted += stop_now(worker, now_ms);
        if (aborted > 0)
                pool_record(pool, LOG_WARNING, "ending %u request%s in flight (%s)", aborted, aborted == 1 ? "" : "s",
                            by);
        listener_set_close(&pool->closing);
        pool_touch(pool);
}
