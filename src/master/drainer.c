/* The drainer: sees listeners that close to their end. What the kernel has accepted on them is served first; only then
 * are the workers that hold them retired and the sockets closed. */
#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/pool.h"
#include "master/pool_worker.h"

#define POLL_MS 10

/* Half-open connections cannot be told from a flood of SYNs that will never complete: a listener whose queue is empty is
 * waited for this long. */
#define HANDSHAKE_GRACE_MS 1000

static bool holds_closing(const struct pool *pool, const struct pool_worker *worker)
{
        return worker->drains || pool->draining || worker->generation < pool->generation;
}

/* Is everything that waits on the closing listeners taken? */
static bool is_drained(struct pool *pool, uint64_t now_ms)
{
        if (listener_set_queued(&pool->closing) > 0) {
                pool->closing_since_ms = now_ms;
                return false;
        }
        if (now_ms >= pool->closing_since_ms + HANDSHAKE_GRACE_MS)
                return true;
        for (size_t i = 0; i < pool->closing.count; i++)
                if (!listener_is_drained(&pool->closing.items[i].listener))
                        return false;
        return true;
}

/* Connections wait, and every worker that could take them has died: one is forked for them alone. A pool that drains as
 * a whole is scaled as ever. */
static void replace_lost(struct pool *pool, uint64_t now_ms)
{
        if (pool->draining || backoff_active(&pool->backoff, now_ms) || listener_set_queued(&pool->closing) == 0)
                return;
        for (const struct pool_worker *worker = pool->workers; worker; worker = worker->next)
                if (worker->role == WORKER_ROLE_SERVE && holds_closing(pool, worker) && !worker->retired)
                        return;
        struct pool_worker *worker = pool_worker_fork(pool, WORKER_ROLE_SERVE, &pool->closing, "drain");
        if (worker)
                worker->drains = true;
}

static void finish(struct pool *pool)
{
        for (struct pool_worker *worker = pool->workers; worker; worker = worker->next)
                if (pool->draining || worker->drains)
                        pool_worker_retire(worker, "drained");
        listener_set_close(&pool->closing);
        pool_touch(pool);
}

uint64_t drainer_step(struct pool *pool, uint64_t now_ms)
{
        if (pool->closing.count == 0)
                return POOL_NEVER_MS;
        if (is_drained(pool, now_ms)) {
                finish(pool);
                return POOL_NEVER_MS;
        }
        replace_lost(pool, now_ms);
        return now_ms + POLL_MS;
}
