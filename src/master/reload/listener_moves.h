/* Moves open listeners in a reload instead of opening new ones: draining listeners that are configured again, and
 * listeners that one running pool gives up and another gets (a pool was renamed, or an address moved to another pool).
 *
 * Also the opening of listeners whose addresses clash with open listeners of the same daemon. Called by pool_changes in
 * both phases of a reload. What must stay true: such a listener is never closed, so that the connections in its queue
 * are served; and workers that would serve it with the old configuration are retired. */
#pragma once

#include "logic/config/config.h"
#include "logic/policy/reload_diff.h"
#include "master/pool/listener_set.h"

struct pool;
struct pool_table;

/* Phase one: find the pool whose listener for `address` can be moved to `pool` (NULL: a pool to be added). The listener
 * drains, or belongs to another running pool, which gives it up in this reload because an address belongs to one pool
 * of a configuration only. Returns NULL if the listener has to be opened. */
struct pool *listener_moves_find(const struct pool_table *pools, struct pool *pool,
                                 const struct listen_address *address);

/* Before phase one, and in a dry run: UNIX listeners whose files were removed have to be opened again. Give the verb
 * RELOAD_REBIND to each pool that has one. */
void listener_moves_revise(const struct pool_table *pools, struct reload_plan *plan);

/* Phase one: open a listener at `address` for the pool, into `opened`. Listeners of this daemon that clash with it (and
 * drain in phase two) share the port until listener_moves_end_sharing(); then *is_sharing is set. 0 or -errno, with a
 * problem. */
int listener_moves_open(const struct pool_table *pools, const struct pool_config *pool,
                        const struct listen_address *address, struct listener_set *opened, bool *is_sharing,
                        struct problem_list *problems);

/* A dry run of that. */
void listener_moves_try(const struct pool_table *pools, const struct pool_config *pool,
                        const struct listen_address *address, struct problem_list *problems);

/* The end of phase two: the listeners that clashed drain now. Those in service stop sharing their ports. */
void listener_moves_end_sharing(const struct pool_table *pools);

/* Phase two, before any pool changes: move the listeners that `config` needs from running pools other than `pool` (NULL
 * as above) into `opened`, where room was reserved. */
void listener_moves_collect(const struct pool_table *pools, struct pool *pool, const struct pool_config *config,
                            struct listener_set *opened);

/* Phase two, when the pool has its new configuration: take back the draining listeners that it needs. */
void listener_moves_take_back(const struct pool_table *pools, struct pool *pool);
