#include "master/pool/health.h"

#include <string.h>

#include "base/log.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/tallies.h"
#include "os/clock.h"

void health_note_success(struct pool *pool)
{
        uint64_t requests = tallies_requests(pool);

        /* Programs that accept themselves count their own requests. As many as they like to claim excuse no further
         * exit, or one that ends at once, and lies, would be started again without end. */
        uint64_t believed = pool->config->handler_type == HANDLER_LISTENER ? 0 : requests - pool->health.requests_seen;

        if (requests > pool->health.requests_seen)
                backoff_success(&pool->health.backoff, believed);
        pool->health.requests_seen = requests;
}

static uint64_t count_failure(struct pool *pool, uint64_t now_ms)
{
        pool_counters_note(pool, COUNTER_start_failures);
        return backoff_failure(&pool->health.backoff, now_ms, pool->config->restart_delay_min_ms,
                               pool->config->restart_delay_max_ms);
}

void health_note_life(struct pool *pool)
{
        backoff_success(&pool->health.backoff, 1);
}

void health_note_failure(struct pool *pool)
{
        uint64_t now_ms = clock_now_ms();
        bool was_active = health_is_backing_off(pool, now_ms);

        health_note_success(pool); /* requests that ended before the failure must not count as a success after it */
        uint64_t delay_ms = count_failure(pool, now_ms);
        unsigned failures = pool->health.backoff.failures;
        if (!was_active)
                pool_record_event(pool, MESSAGE_ID_BACKING_OFF, LOG_WARNING,
                                  "backing off: %u failed start%s in a row, next in %llu ms", failures,
                                  failures == 1 ? "" : "s", (unsigned long long)delay_ms);
}

bool health_tells(struct pool *pool, uint32_t stage, uint32_t error)
{
        struct pool_health *health = &pool->health;
        bool is_known = health->told_stage == stage && health->told_error == error;

        health->told_stage = stage;
        health->told_error = error;
        return !is_known || !health_is_backing_off(pool, clock_now_ms());
}

void health_note_launch(struct pool *pool)
{
        pool->health.launch_failing = false;
}

void health_note_launch_failure(struct pool *pool, int error)
{
        if (!pool->health.launch_failing)
                pool_record(pool, LOG_ERR, "cannot fork a worker: %s; trying again later", strerror(error));
        pool->health.launch_failing = true;
        count_failure(pool, clock_now_ms());
}

bool health_is_backing_off(const struct pool *pool, uint64_t now_ms)
{
        return backoff_active(&pool->health.backoff, now_ms);
}
