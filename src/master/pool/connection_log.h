/* connection_log: a record of the log for each connection that a worker tells of.
 *
 * Called by pool for what comes through the wake pipe. Nothing that a worker says is believed: it becomes text, and
 * only where the pool logs such connections. */
#pragma once

#include <stdint.h>

#include "logic/policy/rate_limit.h"

struct connection_record;
struct pool_config;

/* Records that workers could not write, of which the log does not know yet. Zero-initialise. */
struct connection_drops {
        uint64_t count;
        struct rate_limit told;
};

void connection_log_tell(const struct pool_config *pool, struct connection_drops *drops,
                         const struct connection_record *record);
