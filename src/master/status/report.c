#include "master/status/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "master/pool/pool.h"
#include "master/pool/pool_table.h"
#include "master/pool/tallies.h"
#include "master/status/status_collect.h"

static void report_shares(const struct status_pool *status, const struct log_fields *fields)
{
        _cleanup_(text_clear) struct text text = {0};

        if (request_summary_format(&status->requests_each, &status->cpu_ms_each, &text) == 0)
                log_emit(LOG_NOTICE, fields, "%s", text_string(&text));
}

static void report_durations(const struct status_pool *status, const struct log_fields *fields)
{
        const struct request_percentiles *percentiles = &status->times;

        if (request_durations_count(&status->durations) > 0)
                log_emit(LOG_NOTICE, fields,
                         "request durations: mean %.1f ms; estimated: median %.1f ms, p90 %.1f ms, p99 %.1f ms",
                         (double)percentiles->mean_us / 1000, (double)percentiles->p50_us / 1000,
                         (double)percentiles->p90_us / 1000, (double)percentiles->p99_us / 1000);
}

/* Append the counters since the pool began: "3 forked, 1 retired, …". 0 or -ENOMEM. */
static int format_totals(const struct counters *totals, struct text *text)
{
        int r = 0;

        for (int id = 0; id < COUNTER_COUNT && r == 0; id++)
                if (counter_table[id].label)
                        r = text_appendf(text, "%s%" PRIu64 " %s", text->length > 0 ? ", " : "",
                                         counter_shown(totals, (enum counter_id)id), counter_table[id].label);
        return r;
}

void report_pool(struct pool *pool)
{
        const struct log_fields fields = {.pool = pool->name, .generation = pool->generation};
        _cleanup_(status_pool_clear) struct status_pool status = {0};
        _cleanup_(text_clear) struct text totals = {0};

        if (status_collect_pool(pool, STATUS_SPREAD, &status) < 0 || format_totals(&status.totals, &totals) < 0)
                return;
        const struct status_counts *counts = &status.counts;
        char unwatched[32] = "";
        if (counts->unwatched > 0)
                snprintf(unwatched, sizeof(unwatched), " %u unwatched,", counts->unwatched);
        log_emit(LOG_NOTICE, &fields,
                 "generation %" PRIu64 ": %u idle, %u busy, %u starting,%s %u retiring, %u detached; in all %s",
                 status.generation, counts->idle, counts->busy, counts->starting, unwatched, counts->retiring,
                 counts->detached, text_string(&totals));
        report_shares(&status, &fields);
        report_durations(&status, &fields);
}

void report_all(const struct pool_table *pools)
{
        for (size_t i = 0; i < pools->count; i++)
                report_pool(pools->items[i]);
}
