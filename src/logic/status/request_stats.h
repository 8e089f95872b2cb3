/* Figures about the requests of a pool: how evenly its workers share them, and how long they take. Pure.
 *
 * Called by the status report (SIGUSR1, exit) and by the metrics with numbers copied from the scoreboard. They are
 * gossip: any value is taken, sums stop at UINT64_MAX, and nothing is used as an index. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct text;

/* What an array of per-worker numbers comes to. All zero for no workers. */
struct request_summary {
        size_t workers;
        uint64_t total, min, median, p90, max; /* median, p90: by nearest rank, so each is the number of some worker */
};

/* Sum up `values`, one a worker; they are sorted in place. */
struct request_summary request_summary_of(uint64_t *values, size_t workers);

/* Append one line, without a newline: `12034 requests over 7 workers: 1500..1900, median 1712, p90 1890; cpu 3.2s:
 * 0.4s..0.6s, median 0.5s, p90 0.6s` (all on one line). Without workers it ends after their number. 0 or -ENOMEM. */
int request_summary_format(const struct request_summary *requests, const struct request_summary *cpu_ms,
                           struct text *text);

/* Buckets of a histogram of durations, as the scoreboard has them: bucket 0 counts durations of less than 1 µs, bucket
 * i those of 2^(i-1) up to, and not including, 2^i µs, and the last one everything from 2^30 µs (18 minutes) on. */
#define REQUEST_DURATION_BUCKETS 32

/* The sum of many workers' histograms, and the exact sum of what they count; zero-initialise. */
struct request_durations {
        uint64_t buckets[REQUEST_DURATION_BUCKETS];
        uint64_t total_ns;
};

/* Set the total to what it is if requests are spread evenly within each bucket: where it was not measured. */
void request_durations_spread_evenly(struct request_durations *durations);

/* How many requests it counts. */
uint64_t request_durations_count(const struct request_durations *durations);

/* An estimate in µs of the duration that `percent` (1..100) of the requests did not exceed: what it would be if
 * requests were spread, evenly within each bucket, such that they have the measured total. So it is always a possible
 * value: the bucket is exact, and requests that all take the same time are shown with about that time. The truth may
 * differ by less than the width of the bucket. 0 without requests. */
uint64_t request_durations_percentile_us(const struct request_durations *durations, unsigned percent);

struct request_percentiles {
        uint64_t mean_us;                /* exact */
        uint64_t p50_us, p90_us, p99_us; /* estimates */
};

struct request_percentiles request_durations_percentiles(const struct request_durations *durations);
