/* Collecting the status: the master's and the scoreboards' numbers into the one structure that all outputs render. */
#pragma once

#include "logic/status/status.h"

struct daemon;
struct pool;

/* The whole daemon, or its pools of that name alone (a removed pool may drain beside a new one; none: pool_count is 0).
 * `detail`: bits of STATUS_…. 0 or -ENOMEM; ended by status_clear(), within this turn of the loop. */
int status_collect(const struct daemon *daemon, const char *pool_name, unsigned detail, struct status *ret);

/* One pool. 0 or -ENOMEM; ended by status_pool_clear(). */
int status_collect_pool(const struct pool *pool, unsigned detail, struct status_pool *ret);
