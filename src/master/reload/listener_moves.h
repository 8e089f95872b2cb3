/* Listeners that change hands in a reload instead of being opened: those that drain and are wanted again, and those
 * that one running pool lets go of and another wants (a pool got another name, an address another pool).
 *
 * Called by master/reload, in both of its phases. What must stay true: such a listener is never closed, so that who
 * waits in its queue is served; and workers that would serve it in the old way go. */
#pragma once

#include "logic/config/config.h"
#include "master/pool/listener_set.h"

struct pool;
struct pool_table;

/* Phase one: whose listener can be taken for `address` by `pool` (NULL: one that is to be added): one that drains, or
 * that of another running pool, which lets go of it in this reload, because an address is in one pool of a
 * configuration only. NULL: nobody's; it has to be opened. */
struct pool *listener_moves_find(const struct pool_table *pools, struct pool *pool,
                                 const struct listen_address *address);

/* Phase two, before any pool changes: take what `config` wants from running pools other than `pool` (NULL as above)
 * into `opened`, in which there is room for all of it. */
void listener_moves_collect(const struct pool_table *pools, struct pool *pool, const struct pool_config *config,
                            struct listener_set *opened);

/* Phase two, when the pool has its new configuration: take those back that drain. */
void listener_moves_take_back(const struct pool_table *pools, struct pool *pool);
