/* The pressure that growth_pressure_limit goes by, read when a pool wants to grow: one for all pools.
 *
 * Owned by the daemon, written in the turns of pools. What must stay true: nobody reads it on a timer of its own, and a
 * file that cannot be read holds nobody back. */
#pragma once

#include <stdbool.h>

#include "logic/policy/pressure_meter.h"

struct pool;

/* Zero-initialise. */
struct pressure_gauge {
        struct pressure_meter meters[PRESSURE_RESOURCE_COUNT];
        bool failed[PRESSURE_RESOURCE_COUNT]; /* and it was logged */
};

/* Complete the inputs of the pool's turn, the last of them. */
void pressure_gauge_take(struct pool *pool);
