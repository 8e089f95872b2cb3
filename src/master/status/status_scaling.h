/* What decides how many workers a pool has, as part of its status: limits, adaptive scaling, what starts cost, and the
 * pressure that holds growth back. Called by status_collect, and by master/control for `why`. */
#pragma once

#include <stdint.h>

struct pool;
struct status_pool;

/* `busy` workers are so at present. */
void status_scaling_collect(const struct pool *pool, unsigned busy, uint64_t now_ms, struct status_pool *status);

/* How many workers were busy at once, by the work that was done so: a look at each slot of the board. 0 or -ENOMEM. */
int status_scaling_collect_concurrency(const struct pool *pool, struct status_pool *status);
