#include "master/status/status_scaling.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "logic/status/status.h"
#include "master/pool/pool.h"
#include "master/pool/scaler.h"
#include "master/pool/start_meter.h"

static void collect_adaptive(const struct pool *pool, unsigned busy, uint64_t now_ms, struct status_pool *status)
{
        const struct adaptive_state *adaptive = &pool->scaler.adaptive;

        status->adaptive.level = adaptive->level;
        status->adaptive.off_delay_ms = adaptive->off_delay_ms;
        status->adaptive.spare = adaptive->spare;
        status->adaptive.idle_ms = scaler_level_idle_ms(pool, adaptive->level, busy, now_ms);
}

static void collect_starts(const struct pool *pool, struct status_pool *status)
{
        const struct worth worth = start_meter_worth(pool);

        status->starts.cpu_us = pool->starts.cpu_us;
        status->starts.duration_us = pool->starts.duration_us;
        status->starts.worker_bytes = pool->starts.worker_bytes;
        status->starts.worth_ms = worth.start_ms;
        status->starts.wait_ms = worth.wait_ms;
}

static void collect_pressure(const struct pool *pool, struct status_pool *status)
{
        const struct pressure_hold *hold = &pool->scaler.pressure;

        status->pressure.limited = hold->limit > 0;
        status->pressure.held = hold->told;
        status->pressure.resource = pressure_resource_name(hold->resource);
        status->pressure.share = hold->share;
        status->pressure.limit = hold->limit;
}

void status_scaling_collect(const struct pool *pool, unsigned busy, uint64_t now_ms, struct status_pool *status)
{
        status->limits = pool_scale_limits(pool);
        collect_adaptive(pool, busy, now_ms, status);
        collect_starts(pool, status);
        collect_pressure(pool, status);
}

int status_scaling_collect_concurrency(const struct pool *pool, struct status_pool *status)
{
        const struct board *board = boards_present(&pool->boards);
        size_t count = board->slot_limit;
        _cleanup_(freep) uint64_t *work_us = calloc(count + 1, sizeof(*work_us));

        if (!work_us)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++)
                work_us[i] = atomic_load_explicit(&board->memory->slots[i].level_work_us, memory_order_relaxed);
        status->concurrency = concurrency_of(work_us, count);
        return 0;
}
