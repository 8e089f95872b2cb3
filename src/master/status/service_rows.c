#include "master/status/service_rows.h"

#include "master/pool/pool.h"
#include "os/clock.h"

struct service_pool service_row_of(const struct pool *pool)
{
        const struct pool_counts counts = pool_count(pool);

        return (struct service_pool){
                .name = pool->name,
                .workers = counts.total,
                .starting = counts.starting,
                .able = counts.idle + counts.busy + counts.detached + counts.retiring,
                .failures = pool->backoff.succeeded ? 0 : pool->backoff.failures,
                .backing_off = backoff_active(&pool->backoff, clock_now_ms()),
                .started = pool->started,
                .saturated = pool->saturation_told,
                .draining = pool->draining,
        };
}
