/* The daemon's table of pools: those that serve and those that close. Owned by the daemon, as are the pools. */
#pragma once

#include <stddef.h>

struct pool;

/* In the order of adding. Zero-initialise; free with pool_table_clear(). */
struct pool_table {
        struct pool **items;
        size_t count, capacity;
};

/* Make room for `more` pools, so that adding them cannot fail. 0 or -ENOMEM. */
int pool_table_reserve(struct pool_table *table, size_t more);

/* Add a pool; there must be room. */
void pool_table_add(struct pool_table *table, struct pool *pool);

/* The pool of that name that is not closing, or NULL. */
struct pool *pool_table_find(const struct pool_table *table, const char *name);

/* Remove a pool of the table; the caller owns it then. */
void pool_table_remove(struct pool_table *table, const struct pool *pool);

/* Free the table but not its pools: it is empty, or the process ends. */
void pool_table_clear(struct pool_table *table);
