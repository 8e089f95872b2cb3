#include "master/reload/listener_opening.h"

#include "base/log.h"
#include "master/manager/fd_store.h"
#include "master/pool/listener_health.h"
#include "master/pool/pool.h"
#include "master/reload/listener_moves.h"

int listener_opening_open(const struct listener_sources *sources, const struct pool_config *pool,
                          const struct listen_address *address, struct listener_set *opened, bool *is_sharing,
                          struct problem_list *problems)
{
        const struct listener_options options = listener_set_options(pool);
        struct listener listener;

        int r = fd_store_open(sources->store, pool, address, &options, &listener, problems);
        if (r == 0)
                return listener_moves_open(sources->pools, pool, address, opened, is_sharing, problems);
        if (r > 0 && (r = listener_set_add(opened, address->text, &listener)) < 0)
                listener_close(&listener);
        return r;
}

void listener_opening_announce(const struct pool *pool, const struct pool_listener *item)
{
        const struct log_fields fields = {.pool = pool->name};
        unsigned effective = item->listener.effective_backlog;
        bool is_activated = item->listener.origin == LISTENER_ACTIVATED;
        char address[ADDRESS_TEXT_MAX];

        address_format(&item->listener.address, address, sizeof(address));
        if (item->listener.address.datagram)
                log_emit(LOG_INFO, &fields, "listening on %s%s%s%s, for datagrams", item->name,
                         is_activated ? " (" : "", is_activated ? address : "", is_activated ? ")" : "");
        else if (is_activated) /* its unit sets the backlog */
                log_emit(LOG_INFO, &fields, "listening on %s (%s), backlog %u", item->name, address, effective);
        else if (effective < pool->config->backlog)
                log_emit(LOG_NOTICE, &fields,
                         "listening on %s, backlog %u (asked for %llu; net.core.somaxconn cuts it)", item->name,
                         effective, (unsigned long long)pool->config->backlog);
        else
                log_emit(LOG_INFO, &fields, "listening on %s, backlog %u", item->name, effective);
}

void listener_opening_take(struct pool *pool, struct listener_set *opened)
{
        while (opened->count > 0) {
                struct pool_listener *item = listener_set_move(opened, &opened->items[0], &pool->listeners);
                item->since_generation = pool->generation;
                listener_health_welcome(pool, item);
                listener_opening_announce(pool, item);
                if (item->listener.origin == LISTENER_STORED) /* our predecessor's workers had it, too */
                        listener_health_examine(pool);
        }
        listener_set_close(opened);
}

void listener_opening_store(const struct listener_sources *sources, struct pool *pool)
{
        for (size_t i = 0; i < pool->listeners.count; i++)
                fd_store_store(sources->store, pool->listeners.items[i].name, &pool->listeners.items[i].listener);
}
