/* What people order of limits beside the configuration: an overlay for a running pool, until the next reload. Called by
 * the control command `scale` and by SIGTTIN and SIGTTOU. Nothing is read, and no listener and no worker is touched. */
#pragma once

#include <stddef.h>

#include "base/problem.h"

struct fd_budget;
struct pool;
struct pool_table;
struct reload;

/* Lay the settings `KEY=VALUE` over the pool. `by` says who ordered it, for the log and for `why`. 0, with errors in
 * `problems` if it is refused: then nothing has changed; -ENOMEM. */
int limit_orders_scale(const struct reload *reload, const struct fd_budget *budget, struct pool *pool,
                       char *const *settings, size_t count, const char *by, struct problem_list *problems);

/* Shift max_workers of every pool; one that can have no more, or no fewer, stays as it is. */
void limit_orders_shift(const struct pool_table *pools, int by);
