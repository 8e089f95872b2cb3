/* Changes the limits of a running pool until the next reload, by an overlay over its configuration. Called by the
 * control command `scale` and on SIGTTIN and SIGTTOU. No file is read, and no listener is opened or closed; the next
 * turn of the pool applies the limits. */
#pragma once

#include <stddef.h>

#include "base/problem.h"

struct fd_budget;
struct pool;
struct pool_table;
struct reload;

/* Set the overlay of the pool from the settings `KEY=VALUE`. `by` says who ordered it, for the log and for `why`. 0; if
 * `problems` has errors then, the settings are refused and nothing has changed. -ENOMEM. */
int limit_orders_scale(const struct reload *reload, const struct fd_budget *budget, struct pool *pool,
                       char *const *settings, size_t count, const char *by, struct problem_list *problems);

/* Change max_workers of every pool by `by`; a pool at the upper or lower bound stays as it is. */
void limit_orders_shift(const struct pool_table *pools, int by);
