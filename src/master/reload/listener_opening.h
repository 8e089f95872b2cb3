/* Opens listeners for a pool and takes them into service: in a reload, and later where one is missing or damaged.
 *
 * Called by pool_changes and listener_repair. */
#pragma once

#include <stdbool.h>

#include "base/problem.h"
#include "logic/config/config.h"

struct fd_store;
struct listener_set;
struct pool;
struct pool_listener;
struct pool_table;

/* Where listeners may come from; borrowed. */
struct listener_sources {
        struct pool_table *pools; /* all pools, with whose listeners an address may clash */
        struct fd_store *store;
};

/* Open a listener that no pool has, into `opened`: take the one that the service manager passed, or create one.
 * *is_sharing as in listener_moves_open(). 0 or -errno, with a problem added. */
int listener_opening_open(const struct listener_sources *sources, const struct pool_config *pool,
                          const struct listen_address *address, struct listener_set *opened, bool *is_sharing,
                          struct problem_list *problems);

/* Take the listeners into service with the pool's generation, for which room was reserved; `opened` is empty then. */
void listener_opening_take(struct pool *pool, struct listener_set *opened);

/* Log what a listener listens on, and the length of its queue. */
void listener_opening_announce(const struct pool *pool, const struct pool_listener *item);

/* Store the listeners in service with the service manager, so that they outlive the master. */
void listener_opening_store(const struct listener_sources *sources, struct pool *pool);
