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

uint64_t request_durations_count(const struct request_durations *durations)
{
        uint64_t count = 0;

        for (size_t i = 0; i < REQUEST_DURATION_BUCKETS; i++)
                count = saturated_add(count, durations->buckets[i]);
        return count;
}

/* The rows of the histogram as intervals, in µs: bucket i begins at `lower` and is `width` wide. The last one has no
 * end; it is taken as wide as its lower bound, until the total says more. */
static double lower_us(size_t bucket)
{
        return bucket == 0 ? 0 : (double)(1ULL << (bucket - 1));
}

static double width_us(size_t bucket)
{
        return bucket == 0 ? 1 : lower_us(bucket);
}

/* Where the middle of a bucket's requests lies, from 0 (all at its lower bound) to 1. The wider the bucket, the more a
 * `tilt` moves it: what the total reveals is mostly about long requests. */
static double middle_of(size_t bucket, double tilt)
{
        double middle = 0.5 + tilt * width_us(bucket);

        return middle < 0 ? 0 : (middle > 1 ? 1 : middle);
}

/* The total of all requests with that tilt. */
static double total_us(const struct request_durations *durations, double tilt)
{
        double total = 0;

        for (size_t i = 0; i < REQUEST_DURATION_BUCKETS; i++)
                if (durations->buckets[i] > 0) /* few are, and this is done often */
                        total += (double)durations->buckets[i] * (lower_us(i) + width_us(i) * middle_of(i, tilt));
        return total;
}

void request_durations_spread_evenly(struct request_durations *durations)
{
        durations->total_ns = (uint64_t)(total_us(durations, 0) * 1000);
}

/* As precise as a double can be there. */
#define TILT_STEPS 52

/* The tilt with which the total is the measured one. The total grows with the tilt. */
static double find_tilt(const struct request_durations *durations)
{
        double measured_us = (double)durations->total_ns / 1000, low = -0.5, high = 0.5;
        double beyond_us = measured_us - total_us(durations, 0);

        /* As precise as a total is: so it is where none was measured, and they were spread evenly. */
        if (beyond_us > -0.001 && beyond_us < 0.001)
                return 0;
        if (durations->buckets[REQUEST_DURATION_BUCKETS - 1] > 0 && beyond_us > 0)
                return 0; /* the last bucket, which has no end, takes up the rest */
        for (unsigned i = 0; i < TILT_STEPS; i++) {
                double between = (low + high) / 2;
                if (total_us(durations, between) < measured_us)
                        low = between;
                else
                        high = between;
        }
        return low;
}

/* The duration of the request of that rank (from 1) of a bucket: spread evenly around the middle, as widely as the
 * bucket allows. */
static uint64_t estimate_us(const struct request_durations *durations, double tilt, size_t bucket, uint64_t rank)
{
        double count = (double)durations->buckets[bucket];
        double middle = middle_of(bucket, tilt), half = MIN_OF(middle, 1 - middle);
        double lower = lower_us(bucket), width = width_us(bucket);
        double at = lower + width * (middle + half * ((2 * (double)rank - 1) / count - 1));
        double beyond = (double)durations->total_ns / 1000 - total_us(durations, tilt);

        if (bucket == REQUEST_DURATION_BUCKETS - 1)
                return (uint64_t)(beyond > 0 ? at + beyond / count : at);
        return MIN_OF((uint64_t)at, (uint64_t)(lower + width) - 1); /* rounding must not leave the bucket */
}

static uint64_t percentile_us(const struct request_durations *durations, double tilt, unsigned percent)
{
        uint64_t rank = nearest_rank(request_durations_count(durations), percent);

        for (size_t i = 0; rank > 0 && i < REQUEST_DURATION_BUCKETS; i++) {
                if (rank <= durations->buckets[i])
                        return estimate_us(durations, tilt, i, rank);
                rank -= durations->buckets[i];
        }
        return 0;
}

uint64_t request_durations_percentile_us(const struct request_durations *durations, unsigned percent)
{
        return percentile_us(durations, find_tilt(durations), percent);
}

struct request_percentiles request_durations_percentiles(const struct request_durations *durations)
{
        uint64_t count = request_durations_count(durations);
        double tilt = count > 0 ? find_tilt(durations) : 0;

        return (struct request_percentiles){
                .mean_us = count > 0 ? durations->total_ns / count / 1000 : 0,
                .p50_us = percentile_us(durations, tilt, 50),
                .p90_us = percentile_us(durations, tilt, 90),
                .p99_us = percentile_us(durations, tilt, 99),
        };
}
