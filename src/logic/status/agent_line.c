#include "logic/status/agent_line.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/status.h"

/* Weights go in such steps, so that a balancer is not told something new each time. */
#define STEP_PERCENT 5
#define LEAST_PERCENT 1

/* How many requests it could serve at a time: by the workers that it has, and those that it may start now. */
static uint64_t capacity_of(const struct status *status, const struct status_pool *pool)
{
        uint64_t most = pool->limits.max_workers;

        return MIN_OF(pool->counts.busy + pool->counts.unwatched + status_pool_available(status, pool), most);
}

/* All are busy, as far as is known of workers that report nothing. Of others the average says more: that a pool is
 * saturated is told until the master has looked at it again, which can be long after. */
static bool is_full(const struct status_pool *pool)
{
        return pool->counts.unwatched > 0 && pool->state == STATUS_POOL_SATURATED;
}

/* How much of the pool is free. */
static unsigned weight_of(const struct status_pool *pool, uint64_t capacity)
{
        double free = (double)capacity - pool->busy_average;

        if (pool->draining)
                return 0;
        if (is_full(pool) || free <= 0 || pool->limits.max_workers == 0)
                return LEAST_PERCENT;
        double steps = free * 100 / (double)pool->limits.max_workers / STEP_PERCENT;
        unsigned percent = (unsigned)(steps + 0.5) * STEP_PERCENT;
        return percent > 0 ? percent : LEAST_PERCENT;
}

/* Nobody new is to come, for this reason; NULL: it serves. */
static const char *why_not(const struct status_pool *pool, uint64_t capacity)
{
        switch (pool->state) {
        case STATUS_POOL_CLOSING:
                return "stopped #draining";
        case STATUS_POOL_PAUSED:
                return "down #paused";
        case STATUS_POOL_NOT_LISTENING:
                return "down #not listening";
        case STATUS_POOL_BACKING_OFF: /* but workers that it has serve on */
                return capacity == 0 ? "down #backing off" : NULL;
        default:
                return NULL;
        }
}

int agent_line_append(const struct status *status, const struct status_pool *pool, struct text *line)
{
        uint64_t capacity = capacity_of(status, pool);
        const char *why = why_not(pool, capacity);

        if (why && pool->state == STATUS_POOL_BACKING_OFF)
                return text_appendf(line, "%s: %u failed start%s\n", why, pool->failures,
                                    pool->failures == 1 ? "" : "s");
        if (why)
                return text_appendf(line, "%s\n", why);
        return text_appendf(line, "up %u%% maxconn:%" PRIu64 "\n", weight_of(pool, capacity),
                            MAX_OF(capacity, (uint64_t)1));
}
