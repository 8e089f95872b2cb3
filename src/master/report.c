#include "master/report.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "master/pool.h"
#include "master/status_collect.h"

static void report_shares(const struct status_pool *status, const struct log_fields *fields)
{
        _cleanup_(text_clear) struct text text = {0};

        if (request_summary_format(&status->requests_each, &status->cpu_ms_each, &text) == 0)
                log_emit(LOG_NOTICE, fields, "%s", text_string(&text));
}

static void report_durations(const struct status_pool *status, const struct log_fields *fields)
{
        const struct request_percentiles percentiles = request_durations_percentiles(&status->durations);

        if (request_durations_count(&status->durations) > 0)
                log_emit(LOG_NOTICE, fields, "request durations: median %.1f ms, p90 %.1f ms, p99 %.1f ms",
                         (double)percentiles.p50_us / 1000, (double)percentiles.p90_us / 1000,
                         (double)percentiles.p99_us / 1000);
}

void report_pool(const struct pool *pool)
{
        const struct log_fields fields = {.pool = pool->name, .generation = pool->generation};
        _cleanup_(status_pool_clear) struct status_pool status = {0};

        if (status_collect_pool(pool, STATUS_SPREAD, &status) < 0)
                return;
        const struct status_counts *counts = &status.counts;
        const struct status_totals *totals = &status.totals;
        log_emit(LOG_NOTICE, &fields,
                 "generation %llu: %u idle, %u busy, %u starting, %u retiring, %u detached; in all %llu forked, %llu retired, "
                 "%llu recycled, %llu died, %llu failed starts, %llu saturations, %llu request timeouts, %llu detached, "
                 "%llu refused",
                 (unsigned long long)status.generation, counts->idle, counts->busy, counts->starting, counts->retiring,
                 counts->detached, (unsigned long long)totals->forked, (unsigned long long)totals->retired,
                 (unsigned long long)totals->recycled, (unsigned long long)totals->died,
                 (unsigned long long)totals->start_failures, (unsigned long long)totals->saturations,
                 (unsigned long long)totals->request_timeouts, (unsigned long long)totals->detached,
                 (unsigned long long)totals->refused);
        report_shares(&status, &fields);
        report_durations(&status, &fields);
}

void report_all(const struct master *master)
{
        for (size_t i = 0; i < master->pool_count; i++)
                report_pool(master->pools[i]);
}
