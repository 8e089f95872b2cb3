#include "logic/status/request_stats.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "base/text.h"
#include "prefork/scoreboard.h"

static_assert(REQUEST_DURATION_BUCKETS == PREFORK_DURATION_BUCKETS, "the report reads the scoreboard's histograms");

/* The rank, counted from 1, of the value that `percent` of `count` values do not exceed; without overflow. */
static uint64_t nearest_rank(uint64_t count, unsigned percent)
{
        return count / 100 * percent + (count % 100 * percent + 99) / 100;
}

static int compare(const void *left, const void *right)
{
        uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

        return (a > b) - (a < b);
}

struct request_summary request_summary_of(uint64_t *values, size_t workers)
{
        struct request_summary summary = {.workers = workers};

        if (workers == 0)
                return summary;
        qsort(values, workers, sizeof(*values), compare);
        for (size_t i = 0; i < workers; i++)
                summary.total = saturated_add(summary.total, values[i]);
        summary.min = values[0];
        summary.median = values[nearest_rank(workers, 50) - 1];
        summary.p90 = values[nearest_rank(workers, 90) - 1];
        summary.max = values[workers - 1];
        return summary;
}

static int append_seconds(struct text *text, const char *before, uint64_t ms)
{
        return text_appendf(text, "%s%" PRIu64 ".%us", before, ms / 1000, (unsigned)(ms % 1000 / 100));
}

static int append_cpu(struct text *text, const struct request_summary *cpu_ms)
{
        const struct {
                const char *before;
                uint64_t ms;
        } parts[] = {{"; cpu ", cpu_ms->total},
                     {": ", cpu_ms->min},
                     {"..", cpu_ms->max},
                     {", median ", cpu_ms->median},
                     {", p90 ", cpu_ms->p90}};

        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                int r = append_seconds(text, parts[i].before, parts[i].ms);
                if (r < 0)
                        return r;
        }
        return 0;
}

int request_summary_format(const struct request_summary *requests, const struct request_summary *cpu_ms,
                           struct text *text)
{
        int r = text_appendf(text, "%" PRIu64 " request%s over %zu worker%s", requests->total,
                             requests->total == 1 ? "" : "s", requests->workers, requests->workers == 1 ? "" : "s");

        if (r < 0 || requests->workers == 0)
                return r;
        r = text_appendf(text, ": %" PRIu64 "..%" PRIu64 ", median %" PRIu64 ", p90 %" PRIu64, requests->min,
                         requests->max, requests->median, requests->p90);
        return r < 0 ? r : append_cpu(text, cpu_ms);
}

void request_durations_add(struct request_durations *sum, const uint32_t buckets[REQUEST_DURATION_BUCKETS])
{
        for (size_t i = 0; i < REQUEST_DURATION_BUCKETS; i++)
                sum->buckets[i] = saturated_add(sum->buckets[i], buckets[i]);
}

uint64_t request_durations_count(const struct request_durations *durations)
{
        uint64_t count = 0;

        for (size_t i = 0; i < REQUEST_DURATION_BUCKETS; i++)
                count = saturated_add(count, durations->buckets[i]);
        return count;
}

/* The duration of the request of that rank (from 1) among the `count` of a bucket, were they evenly spread. */
static uint64_t estimate_us(size_t bucket, uint64_t rank, uint64_t count)
{
        uint64_t lower_us = bucket == 0 ? 0 : 1ULL << (bucket - 1);

        if (bucket == 0 || bucket == REQUEST_DURATION_BUCKETS - 1)
                return lower_us;
        /* A bucket is as wide as its lower bound. Half a step back: the middle of the request's share of the bucket. */
        return lower_us + (uint64_t)((double)lower_us * ((double)rank - 0.5) / (double)count);
}

uint64_t request_durations_percentile_us(const struct request_durations *durations, unsigned percent)
{
        uint64_t rank = nearest_rank(request_durations_count(durations), percent);

        for (size_t i = 0; rank > 0 && i < REQUEST_DURATION_BUCKETS; i++) {
                if (rank <= durations->buckets[i])
                        return estimate_us(i, rank, durations->buckets[i]);
                rank -= durations->buckets[i];
        }
        return 0;
}

struct request_percentiles request_durations_percentiles(const struct request_durations *durations)
{
        return (struct request_percentiles){
                .p50_us = request_durations_percentile_us(durations, 50),
                .p90_us = request_durations_percentile_us(durations, 90),
                .p99_us = request_durations_percentile_us(durations, 99),
        };
}
