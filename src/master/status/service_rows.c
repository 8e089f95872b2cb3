#include "master/status/service_rows.h"

#include "master/pool/health.h"
#include "master/pool/pool.h"
#include "master/pool/worker_table.h"
#include "os/clock.h"

struct service_pool service_row_of(const struct pool *pool)
{
        const struct worker_counts counts = worker_table_count(pool);
        const struct listener_set *missing = &pool->listening.missing;

        return (struct service_pool){
                .name = pool->name,
                .workers = counts.total,
                .starting = counts.starting,
                .able = counts.idle + counts.busy + counts.unwatched + counts.detached + counts.retiring,
                .failures = pool->health.backoff.succeeded ? 0 : pool->health.backoff.failures,
                .backing_off = health_is_backing_off(pool, clock_now_ms()),
                .started = pool->scaler.started,
                .saturated = pool->scaler.saturation_told,
                .closing = pool->mode != POOL_OPEN,
                .is_deaf = pool_is_deaf(pool),
                .waits_for = missing->count > 0 ? missing->items[0].name : NULL,
        };
}
