/* Collects the status: copies the numbers of the master and of the scoreboards into the structure that all outputs
 * render. With many workers it takes as long as it takes to read them from memory: so they are looked at once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/status/status.h"

struct pool;
struct pool_table;

/* The status of the daemon itself. */
struct status_of_daemon {
        const char *state; /* one word, borrowed */
        pid_t pid;
        uint64_t started_ms, started_wall_ms;
        bool config_refused;
        uint64_t configured_wall_ms;
        uint64_t upgrades;
        struct status_total total;
        uint64_t memory_bytes; /* of the machine; 0: not known */
        unsigned cpus;
        struct status_log log;
};

/* Look at the counters, and collect the status of the daemon with all pools, or only those named `pool_name` (a removed
 * pool may close beside a new one of the same name; pool_count is 0 if there is none). `detail`: bits of STATUS_…. Free
 * with status_clear(), within this turn of the loop. 0 or -ENOMEM. */
int status_collect(const struct status_of_daemon *daemon, const struct pool_table *pools, const char *pool_name,
                   unsigned detail, struct status *ret);

/* The same for one pool; free it with status_pool_clear(). Notes what rates, averages and peaks are made of. 0 or
 * -ENOMEM. */
int status_collect_pool(struct pool *pool, unsigned detail, struct status_pool *ret);
