#include "master/report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/request_stats.h"
#include "master/pool.h"
#include "master/pool_worker.h"

/* The numbers of one worker each: of the last ones that went, and of those that are here. */
struct shares {
        uint64_t *requests, *cpu_ms;
        size_t count;
};

static int collect(const struct pool *pool, struct shares *shares)
{
        const struct pool_totals *totals = &pool->totals;
        size_t gone = MIN_OF(totals->gone_count, (uint64_t)POOL_GONE_WORKERS_KEPT);
        size_t most = gone + pool->worker_count + 1;

        shares->requests = calloc(most, sizeof(*shares->requests));
        shares->cpu_ms = calloc(most, sizeof(*shares->cpu_ms));
        if (!shares->requests || !shares->cpu_ms)
                return -1;
        for (; shares->count < gone; shares->count++) {
                shares->requests[shares->count] = totals->gone_requests[shares->count];
                shares->cpu_ms[shares->count] = totals->gone_cpu_ms[shares->count];
        }
        for (const struct pool_worker *worker = pool->workers; worker; worker = worker->next) {
                if (worker->role != WORKER_ROLE_SERVE)
                        continue;
                shares->requests[shares->count] = atomic_load(&pool_worker_slot(worker)->requests_ended);
                shares->cpu_ms[shares->count++] = atomic_load(&pool_worker_slot(worker)->handler_cpu_us) / 1000;
        }
        return 0;
}

static void report_shares(const struct pool *pool)
{
        const struct log_fields fields = {.pool = pool->name, .generation = pool->generation};
        _cleanup_(text_clear) struct text text = {0};
        struct shares shares = {0};

        if (collect(pool, &shares) == 0) {
                const struct request_summary requests = request_summary_of(shares.requests, shares.count);
                const struct request_summary cpu_ms = request_summary_of(shares.cpu_ms, shares.count);
                if (request_summary_format(&requests, &cpu_ms, &text) == 0)
                        log_emit(LOG_NOTICE, &fields, "%s", text_string(&text));
        }
        free(shares.requests);
        free(shares.cpu_ms);
}

static void report_durations(const struct pool *pool)
{
        const struct log_fields fields = {.pool = pool->name, .generation = pool->generation};
        struct request_durations durations = {0};

        for (size_t i = 0; i < SCOREBOARD_DURATION_BUCKETS; i++)
                durations.buckets[i] = pool->totals.durations[i];
        for (const struct pool_worker *worker = pool->workers; worker; worker = worker->next) {
                uint32_t buckets[REQUEST_DURATION_BUCKETS];
                if (worker->role != WORKER_ROLE_SERVE)
                        continue;
                for (size_t i = 0; i < REQUEST_DURATION_BUCKETS; i++)
                        buckets[i] = atomic_load(&pool_worker_slot(worker)->durations[i]);
                request_durations_add(&durations, buckets);
        }
        if (request_durations_count(&durations) == 0)
                return;
        const struct request_percentiles percentiles = request_durations_percentiles(&durations);
        log_emit(LOG_NOTICE, &fields, "request durations: median %.1f ms, p90 %.1f ms, p99 %.1f ms",
                 (double)percentiles.p50_us / 1000, (double)percentiles.p90_us / 1000, (double)percentiles.p99_us / 1000);
}

/* By when_full, and by max_connections_per_source in workers that are gone and in those that are here. */
static uint64_t count_refused(const struct pool *pool)
{
        uint64_t refused = pool->totals.refused + atomic_load(&pool->board->refused);

        for (const struct pool_worker *worker = pool->workers; worker; worker = worker->next)
                if (worker->role == WORKER_ROLE_SERVE)
                        refused += atomic_load(&pool_worker_slot(worker)->refused);
        return refused;
}

/* Everything since the pool was made: "3 forked, 1 retired, …". 0 or -ENOMEM. */
static int format_totals(const struct pool *pool, struct text *text)
{
        const struct pool_totals *totals = &pool->totals;
        const struct {
                uint64_t count;
                const char *of_what;
        } rows[] = {
                {totals->forked, "forked"},
                {totals->retired, "retired"},
                {totals->recycled, "recycled"},
                {totals->died, "died"},
                {totals->start_failures, "failed starts"},
                {totals->saturations, "saturations"},
                {totals->request_timeouts, "request timeouts"},
                {totals->detached, "detached"},
                {count_refused(pool), "refused"},
                {pool_requests(pool), "requests"},
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(rows) && r == 0; i++)
                r = text_appendf(text, "%s%" PRIu64 " %s", i > 0 ? ", " : "", rows[i].count, rows[i].of_what);
        return r;
}

void report_pool(const struct pool *pool)
{
        const struct log_fields fields = {.pool = pool->name, .generation = pool->generation};
        const struct pool_counts counts = pool_count(pool);
        _cleanup_(text_clear) struct text totals = {0};

        if (format_totals(pool, &totals) == 0)
                log_emit(LOG_NOTICE, &fields,
                         "generation %" PRIu64 ": %u idle, %u busy, %u starting, %u retiring, %u detached; in all %s",
                         pool->generation, counts.idle, counts.busy, counts.starting, counts.retiring, counts.detached,
                         text_string(&totals));
        report_shares(pool);
        report_durations(pool);
}

void report_all(const struct master *master)
{
        for (size_t i = 0; i < master->pool_count; i++)
                report_pool(master->pools[i]);
}
