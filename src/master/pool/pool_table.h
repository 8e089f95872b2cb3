/* The daemon's set of pools: those that serve and those that close. Owned by the daemon; the pools are its own. */
#pragma once

#include <stddef.h>

struct pool;

/* Zero-initialise; end with pool_table_clear(). In the order in which they were added. */
struct pool_table {
        struct pool **items;
        size_t count, capacity;
};

/* Make room for so many more, so that adding them cannot fail. 0 or -ENOMEM. */
int pool_table_reserve(struct pool_table *table, size_t more);

/* Add one; there must be room. */
void pool_table_add(struct pool_table *table, struct pool *pool);

/* The pool of that name that does not close, or NULL. */
struct pool *pool_table_find(const struct pool_table *table, const char *name);

/* Take one out that is in it; it is the caller's then. */
void pool_table_remove(struct pool_table *table, const struct pool *pool);

/* Free the table alone, which is empty or belongs to a process that ends. */
void pool_table_clear(struct pool_table *table);
