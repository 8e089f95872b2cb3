/* Collecting the status: the master's and the scoreboards' numbers into the one structure that all outputs render. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "logic/status/status.h"

struct pool;
struct pool_table;

/* What is told of the daemon beside its pools. */
struct status_of_daemon {
        const char *state; /* in a word */
        pid_t pid;
        uint64_t started_ms;
};

/* The whole daemon, or its pools of that name alone (a removed pool may close beside a new one; none: pool_count is 0).
 * `detail`: bits of STATUS_…. 0 or -ENOMEM; ended by status_clear(), within this turn of the loop. */
int status_collect(const struct status_of_daemon *daemon, const struct pool_table *pools, const char *pool_name,
                   unsigned detail, struct status *ret);

/* One pool. 0 or -ENOMEM; ended by status_pool_clear(). */
int status_collect_pool(const struct pool *pool, unsigned detail, struct status_pool *ret);
