#include "master/reload/listener_moves.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/loop/evloop.h"
#include "master/pool/pool.h"
#include "master/pool/pool_table.h"
#include "master/pool/worker.h"
#include "os/clock.h"

/* Find a pool with a draining listener for the address. UNIX listeners that drain cannot be taken back: they were shut
 * down for good. */
static struct pool *find_draining(const struct pool_table *pools, struct pool *pool,
                                  const struct listen_address *address)
{
        if (address->address.any.sa_family == AF_UNIX)
                return NULL;
        if (pool && listener_set_find(&pool->closing, address->text))
                return pool;
        for (size_t i = 0; i < pools->count; i++)
                if (pools->items[i]->mode != POOL_OPEN && listener_set_find(&pools->items[i]->closing, address->text))
                        return pools->items[i];
        return NULL;
}

static struct pool *find_serving(const struct pool_table *pools, const struct pool *pool,
                                 const struct listen_address *address)
{
        for (size_t i = 0; i < pools->count; i++)
                if (pools->items[i] != pool && listener_set_find(&pools->items[i]->listeners, address->text))
                        return pools->items[i];
        return NULL;
}

struct pool *listener_moves_find(const struct pool_table *pools, struct pool *pool,
                                 const struct listen_address *address)
{
        struct pool *owner = find_draining(pools, pool, address);

        return owner ? owner : find_serving(pools, pool, address);
}

/* The owner's workers would go on serving the listener with the old configuration, so all of them are retired; new ones
 * are forked for the listeners that the owner keeps. */
static void retire_workers(struct pool *owner)
{
        uint64_t now_ms = clock_now_ms();

        for (struct worker *worker = owner->workers.first; worker; worker = worker->next)
                worker_retire(worker, "takeover", now_ms);
        pool_touch(owner);
}

void listener_moves_collect(const struct pool_table *pools, struct pool *pool, const struct pool_config *config,
                            struct listener_set *opened)
{
        for (size_t i = 0; i < config->listen.count; i++) {
                const struct listen_address *address = &config->listen.items[i];
                struct pool *owner = find_serving(pools, pool, address);
                if (!owner || (pool && listener_set_find(&pool->listeners, address->text)))
                        continue;
                struct pool_listener *item = listener_set_find(&owner->listeners, address->text);
                evloop_watch_free(TAKE_PTR(item->watch)); /* it would wake the owner */
                pool_record(owner, LOG_INFO, "%s goes to pool %s", item->name, config->name);
                listener_set_move(&owner->listeners, item, opened);
                retire_workers(owner);
        }
}

void listener_moves_take_back(const struct pool_table *pools, struct pool *pool)
{
        for (size_t i = 0; i < pool->config->listen.count; i++) {
                const struct listen_address *address = &pool->config->listen.items[i];
                struct pool *owner = find_draining(pools, pool, address);
                struct pool_listener *item = owner ? listener_set_find(&owner->closing, address->text) : NULL;
                if (!item || listener_undrain(&item->listener) < 0)
                        continue;
                evloop_watch_free(TAKE_PTR(item->watch));
                item = listener_set_move(&owner->closing, item, &pool->listeners);
                item->since_generation = pool->generation;
                pool_record(pool, LOG_INFO, "listening on %s again", item->name);
                if (owner != pool)
                        retire_workers(owner);
        }
}
