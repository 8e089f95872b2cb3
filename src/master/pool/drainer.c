#include "master/pool/drainer.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/loop/evloop.h"
#include "master/pool/health.h"
#include "master/pool/launcher.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "master/pool/worker_table.h"
#include "os/clock.h"

#define POLL_MS 10

/* Half-open connections cannot be told from a flood of SYNs that will never complete: a listener whose queue is empty is
 * waited for this long. */
#define HANDSHAKE_GRACE_MS 1000

/* Busy workers mostly empty the queue by themselves. */
#define HELP_AFTER_MS 1000

/* A worker that was forked to drain has all listeners that were closing then. */
static bool holds(const struct worker *worker, const struct pool_listener *item)
{
        if (worker->purpose == WORKER_DRAIN)
                return worker->generation > item->drain_generation;
        return worker->generation >= item->since_generation && worker->generation <= item->drain_generation;
}

/* Nobody waits on it, nor will. One that stays open for our successor has been drained when those have been served who
 * waited when it began to close: under load it never is empty. */
static bool is_drained(const struct pool *pool, struct pool_listener *item, uint64_t now_ms)
{
        uint32_t queued;

        if (listener_stays_open(&item->listener) && worker_table_accepted(pool) >= item->drained_at)
                return true;
        if (listener_queue_length(&item->listener, &queued) == 0 && queued > 0) {
                item->drained_since_ms = now_ms;
                return false;
        }
        return now_ms >= item->drained_since_ms + HANDSHAKE_GRACE_MS || listener_is_drained(&item->listener);
}

/* True if connections wait there and nobody is about to take them: the workers that could are dead, or busy and may be for
 * long. */
static bool needs_help(const struct pool *pool, const struct pool_listener *item, uint64_t now_ms)
{
        uint32_t queued, holders = 0, takers = 0;

        if (listener_queue_length(&item->listener, &queued) < 0)
                return false;
        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                if (!worker_stays(worker) || !holds(worker, item))
                        continue;
                holders++;
                takers += worker->state == WORKER_STARTING || worker_is_idle(worker);
        }
        return queued > takers && (holders == 0 || now_ms >= item->closing_since_ms + HELP_AFTER_MS);
}

/* Fork a worker for the closing listeners alone: within the room of a roll, the first in any case. One a step is enough.
 * A pool that drains as a whole is scaled as ever. */
static void help(struct pool *pool, uint64_t now_ms)
{
        unsigned helpers = 0;
        bool needed = false;

        if (pool->draining || health_is_backing_off(pool, now_ms))
                return;
        for (size_t i = 0; i < pool->closing.count; i++)
                needed |= needs_help(pool, &pool->closing.items[i], now_ms);
        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next)
                helpers += worker->purpose == WORKER_DRAIN && worker_stays(worker);
        if (!needed || (helpers > 0 && worker_table_surge_room(pool) == 0))
                return;
        launcher_start(pool, WORKER_DRAIN, &pool->closing, "drain", NULL);
}

/* Nothing closes, or what did was taken back: those that are here for that alone go. */
static void retire_helpers(struct pool *pool)
{
        for (struct worker *worker = pool->workers.first; worker; worker = worker->next)
                if (pool->draining || worker->purpose == WORKER_DRAIN)
                        worker_retire(worker, "drained");
}

uint64_t drainer_step(struct pool *pool, uint64_t now_ms)
{
        bool was_closing = pool->closing.count > 0;

        for (size_t i = pool->closing.count; i-- > 0;)
                if (is_drained(pool, &pool->closing.items[i], now_ms))
                        listener_set_close_one(&pool->closing, &pool->closing.items[i]);
        if (pool->closing.count == 0) {
                retire_helpers(pool);
                if (was_closing)
                        pool_touch(pool);
                return POOL_NEVER_MS;
        }
        help(pool, now_ms);
        return now_ms + POLL_MS;
}

void drainer_close_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation)
{
        item = listener_set_move(&pool->listeners, item, &pool->closing);
        item->drain_generation = last_generation;
        item->closing_since_ms = item->drained_since_ms = clock_now_ms();
        if (item->watch) /* who waits there is the drainer's business now, which looks by itself */
                evloop_watch_pause(item->watch);
        pool->runtime->observer.listener_leaves(pool->runtime->observer.context, item);
        item->drained_at = worker_table_accepted(pool) + listener_set_queued(&pool->listeners) +
                           listener_set_queued(&pool->closing);
        int r = listener_drain(&item->listener);
        if (r < 0)
                pool_record(pool, LOG_WARNING, "cannot keep new connections from %s while it drains (%s): the last of them may "
                            "be reset", item->name, strerror(-r));
}
