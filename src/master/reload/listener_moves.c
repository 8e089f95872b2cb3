#include "master/reload/listener_moves.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "master/loop/evloop.h"
#include "master/pool/listener_health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_table.h"
#include "master/pool/worker.h"
#include "os/clock.h"

/* Find a draining listener that can be taken back: one that was replaced drains for good. */
static struct pool_listener *find_drained_back(const struct pool *pool, const struct listen_address *address)
{
        for (size_t i = 0; i < pool->closing.count; i++)
                if (!pool->closing.items[i].listener.replaced && text_equal(pool->closing.items[i].name, address->text))
                        return &pool->closing.items[i];
        return NULL;
}

/* Find a pool with a draining listener for the address. UNIX listeners that drain cannot be taken back: they were shut
 * down for good. */
static struct pool *find_draining(const struct pool_table *pools, struct pool *pool,
                                  const struct listen_address *address)
{
        if (address->address.any.sa_family == AF_UNIX)
                return NULL;
        if (pool && find_drained_back(pool, address))
                return pool;
        for (size_t i = 0; i < pools->count; i++)
                if (pools->items[i]->mode != POOL_OPEN && find_drained_back(pools->items[i], address))
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

void listener_moves_revise(const struct pool_table *pools, struct reload_plan *plan)
{
        for (size_t s = 0; s < plan->count; s++) {
                struct reload_step *step = &plan->steps[s];
                const struct pool *pool = step->old_pool ? pool_table_find(pools, step->old_pool->name) : NULL;
                for (size_t i = 0; pool && step->new_pool && i < pool->listeners.count; i++)
                        if (listener_is_lost(&pool->listeners.items[i].listener))
                                step->verb = RELOAD_REBIND;
        }
}

static bool share(const struct listener_set *set, const struct listen_address *address, bool on)
{
        bool found = false;

        for (size_t i = 0; i < set->count; i++)
                /* Ignore ipv6_only: sharing a port that does not clash does no harm. */
                if (address_clashes(&set->items[i].listener.address, false, &address->address, false)) {
                        listener_share_port(&set->items[i].listener, on);
                        found = true;
                }
        return found;
}

static bool share_with(const struct pool_table *pools, const struct listen_address *address, bool on)
{
        bool found = false;

        if (address->address.any.sa_family != AF_INET && address->address.any.sa_family != AF_INET6)
                return false;
        for (size_t i = 0; i < pools->count; i++) {
                found |= share(&pools->items[i]->listeners, address, on);
                found |= share(&pools->items[i]->closing, address, on);
        }
        return found;
}

static const struct pool_listener *find_alias(const struct pool_table *pools, const struct listen_address *address)
{
        if (address->address.any.sa_family != AF_UNIX || address->text[0] != '/')
                return NULL;
        for (size_t p = 0; p < pools->count; p++) {
                const struct listener_set *set = &pools->items[p]->listeners;
                for (size_t i = 0; i < set->count; i++)
                        if (!text_equal(set->items[i].name, address->text) &&
                            listener_has_file(&set->items[i].listener, address->text))
                                return &set->items[i];
        }
        return NULL;
}

/* Refuse a path that is another spelling of the path of an open listener. 0; -EADDRINUSE with a problem added. */
static int refuse_alias(const struct pool_table *pools, const struct pool_config *pool,
                        const struct listen_address *address, struct problem_list *problems)
{
        const struct pool_listener *item = find_alias(pools, address);
        const struct origin *origin = &pool->origins[POOL_LISTEN];

        if (!item)
                return 0;
        problem_add(problems, origin->file, origin->line,
                    "pool %s: listen: %s is the socket of our own listener %s by another path; a reload cannot change "
                    "its name",
                    pool->name, address->text, item->name);
        return -EADDRINUSE;
}

int listener_moves_open(const struct pool_table *pools, const struct pool_config *pool,
                        const struct listen_address *address, struct listener_set *opened, bool *is_sharing,
                        struct problem_list *problems)
{
        int r = refuse_alias(pools, pool, address, problems);
        if (r < 0)
                return r;
        bool shares_port = share_with(pools, address, true);
        r = listener_set_open(opened, pool, address, shares_port, problems);
        if (shares_port)
                share_with(pools, address, false);
        *is_sharing |= shares_port;
        return r;
}

void listener_moves_try(const struct pool_table *pools, const struct pool_config *pool,
                        const struct listen_address *address, struct problem_list *problems)
{
        if (refuse_alias(pools, pool, address, problems) < 0)
                return;
        bool shares_port = share_with(pools, address, true);
        listener_set_try(pool, address, shares_port, problems);
        if (shares_port)
                share_with(pools, address, false);
}

void listener_moves_end_sharing(const struct pool_table *pools)
{
        for (size_t p = 0; p < pools->count; p++) {
                const struct listener_set *listeners = &pools->items[p]->listeners;
                for (size_t i = 0; i < listeners->count; i++)
                        listener_share_port(&listeners->items[i].listener, false);
        }
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
                struct pool_listener *item = owner ? find_drained_back(owner, address) : NULL;
                if (!item || listener_undrain(&item->listener) < 0)
                        continue;
                evloop_watch_free(TAKE_PTR(item->watch));
                item = listener_set_move(&owner->closing, item, &pool->listeners);
                item->since_generation = pool->generation;
                listener_health_welcome(pool, item);
                pool_record(pool, LOG_INFO, "listening on %s again", item->name);
                if (owner != pool)
                        retire_workers(owner);
        }
}
