#include "master/pool/drainer.h"

#include <string.h>

#include "base/log.h"
#include "master/loop/evloop.h"
#include "master/pool/pool.h"
#include "master/pool/tallies.h"
#include "master/pool/worker.h"
#include "os/clock.h"

#define FAILED_HELPERS_MAX 3

static bool somebody_waits(const struct pool_listener *item)
{
        uint32_t queued = 0;

        return listener_queue_length(&item->listener, &queued) == 0 && queued > 0;
}

struct closing_row drainer_row_of(const struct pool_listener *item)
{
        uint32_t queued = 0;
        bool known = listener_queue_length(&item->listener, &queued) == 0;

        return (struct closing_row){
                .since_generation = item->since_generation,
                .last_generation = item->drain_generation,
                .closing_since_ms = item->closing_since_ms,
                .waited_ms = item->waited_ms,
                .emptied_ms = item->emptied_ms,
                .enough_accepted = item->drained_at,
                .queued = queued,
                .queue_known = known,
                .no_handshakes = queued == 0 && listener_is_drained(&item->listener), /* costs more than reading the
                                                                                       * queue, so it comes second */
                .stays_open = listener_stays_open(&item->listener),
                .hopeless = item->failed_helpers >= FAILED_HELPERS_MAX,
        };
}

void drainer_note_queue(struct pool *pool, size_t at, uint64_t now_ms)
{
        pool->closing.items[at].waited_ms = now_ms;
}

void drainer_note_empty(struct pool *pool, size_t at, uint64_t now_ms)
{
        pool->closing.items[at].emptied_ms = now_ms;
}

void drainer_note_failed_helper(struct pool *pool, uint64_t generation)
{
        for (size_t i = 0; i < pool->closing.count; i++)
                if (pool->closing.items[i].drain_generation < generation &&
                    pool->closing.items[i].failed_helpers < FAILED_HELPERS_MAX)
                        pool->closing.items[i].failed_helpers++;
}

void drainer_finish(struct pool *pool, size_t at)
{
        struct pool_listener *item = &pool->closing.items[at];

        if (item->failed_helpers >= FAILED_HELPERS_MAX && !listener_stays_open(&item->listener) && somebody_waits(item))
                pool_record_event(pool, MESSAGE_ID_CONNECTIONS_AT_RISK, LOG_WARNING,
                                  "closed %s with clients that wait there: no worker could serve them", item->name);
        listener_set_close_one(&pool->closing, item);
}

/* The acceptor of a built-in worker goes on with other listeners; a program does what it likes. */
static void excuse_holders(struct pool *pool, const struct pool_listener *item)
{
        for (struct worker *worker = pool->workers.first; worker; worker = worker->next)
                if (worker->generation >= item->since_generation && worker->generation <= item->drain_generation)
                        worker->listener_shut = true;
}

void drainer_close_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation)
{
        item = listener_set_move(&pool->listeners, item, &pool->closing);
        item->dead = false; /* what waits in the queue of a UNIX listener is served also if it was shut down */
        item->failed_helpers = 0;
        item->drain_generation = last_generation;
        excuse_holders(pool, item);
        item->closing_since_ms = clock_now_ms();
        if (item->watch) /* from now on the drain policy polls the queue */
                evloop_watch_pause(item->watch);
        pool->runtime->observer.listener_leaves(pool->runtime->observer.context, item);
        item->drained_at =
                tallies_accepted(pool) + listener_set_queued(&pool->listeners) + listener_set_queued(&pool->closing);
        int r = listener_drain(&item->listener, pool_config_is_unwatched(pool->config));
        item->waited_ms = somebody_waits(item) ? item->closing_since_ms : 0;
        item->emptied_ms = 0;
        if (r < 0)
                pool_record_event(pool, MESSAGE_ID_CONNECTIONS_AT_RISK, LOG_WARNING,
                                  "cannot keep new connections from %s while it drains (%s): the last may be reset",
                                  item->name, strerror(-r));
}

void drainer_replace_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation)
{
        item->listener.replaced = true;
        drainer_close_listener(pool, item, last_generation);
}
