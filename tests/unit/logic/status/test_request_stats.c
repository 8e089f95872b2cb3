/* Figures of the report: shares of the workers, and percentiles estimated from histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/request_stats.h"

static void summary_of_few(void **state)
{
        uint64_t ten[] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, three[] = {7, 100, 1}, one[] = {42};
        struct request_summary summary = request_summary_of(ten, 10);

        (void)state;
        assert_int_equal(summary.total, 55);
        assert_int_equal(summary.min, 1);
        assert_int_equal(summary.median, 5);
        assert_int_equal(summary.p90, 9);
        assert_int_equal(summary.max, 10);
        summary = request_summary_of(three, 3);
        assert_int_equal(summary.median, 7);
        assert_int_equal(summary.p90, 100);
        summary = request_summary_of(one, 1);
        assert_int_equal(summary.min, 42);
        assert_int_equal(summary.median, 42);
        assert_int_equal(summary.p90, 42);
        assert_int_equal(summary.max, 42);
        summary = request_summary_of(NULL, 0);
        assert_int_equal(summary.total, 0);
}

static void sums_do_not_wrap(void **state)
{
        uint64_t values[] = {UINT64_MAX, 1, UINT64_MAX - 1};
        struct request_summary summary = request_summary_of(values, 3);

        (void)state;
        assert_true(summary.total == UINT64_MAX);
        assert_int_equal(summary.min, 1);
}

static void the_line(void **state)
{
        uint64_t requests[] = {1712, 1900, 1500, 1890, 1712, 1600, 1720};
        uint64_t cpu_ms[] = {400, 510, 480, 450, 470, 440, 499};
        const struct request_summary by_request = request_summary_of(requests, 7);
        const struct request_summary by_cpu = request_summary_of(cpu_ms, 7);
        const struct request_summary none = {0};
        uint64_t single[] = {1}, single_cpu[] = {61050};
        const struct request_summary one = request_summary_of(single, 1), one_cpu = request_summary_of(single_cpu, 1);
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_int_equal(request_summary_format(&by_request, &by_cpu, &text), 0);
        assert_string_equal(text_string(&text), "12034 requests over 7 workers: 1500..1900, median 1712, p90 1900; "
                                                "cpu 3.2s: 0.4s..0.5s, median 0.4s, p90 0.5s");
        text_truncate(&text);
        assert_int_equal(request_summary_format(&one, &one_cpu, &text), 0);
        assert_string_equal(text_string(&text), "1 request over 1 worker: 1..1, median 1, p90 1; "
                                                "cpu 61.0s: 61.0s..61.0s, median 61.0s, p90 61.0s");
        text_truncate(&text);
        assert_int_equal(request_summary_format(&none, &none, &text), 0);
        assert_string_equal(text_string(&text), "0 requests over 0 workers");
}

static void add(struct request_durations *sum, const uint32_t buckets[REQUEST_DURATION_BUCKETS])
{
        for (size_t i = 0; i < REQUEST_DURATION_BUCKETS; i++)
                sum->buckets[i] += buckets[i];
}

static void histogram_edges(void **state)
{
        struct request_durations durations = {0};
        uint32_t buckets[REQUEST_DURATION_BUCKETS] = {0};

        (void)state;
        assert_int_equal(request_durations_percentile_us(&durations, 50), 0);
        buckets[0] = 1;
        add(&durations, buckets);
        assert_int_equal(request_durations_percentile_us(&durations, 99), 0);
        buckets[0] = 0;
        buckets[REQUEST_DURATION_BUCKETS - 1] = 1;
        add(&durations, buckets);
        assert_int_equal(request_durations_count(&durations), 2);
        assert_int_equal(request_durations_percentile_us(&durations, 50), 0);
        assert_int_equal(request_durations_percentile_us(&durations, 51), 1U << 30);
        durations.total_ns = 7200ULL * 1000 * 1000 * 1000;
        assert_in_range(request_durations_percentile_us(&durations, 51), 7199999990, 7200000000);
        durations.buckets[3] = UINT64_MAX;
        assert_true(request_durations_count(&durations) == UINT64_MAX);
        assert_in_range(request_durations_percentile_us(&durations, 50), 4, 7);
}

static void evenly_spread_requests_are_estimated_well(void **state)
{
        struct request_durations durations = {0};
        const uint32_t buckets[REQUEST_DURATION_BUCKETS] = {[10] = 1000, [12] = 1000};

        (void)state;
        add(&durations, buckets);
        durations.total_ns = (1000ULL * 768 + 1000ULL * 3072) * 1000;
        const struct request_percentiles p = request_durations_percentiles(&durations);
        assert_int_equal(p.mean_us, 1920);
        assert_int_equal(p.p50_us, 1023);
        assert_int_equal(p.p90_us, 2048 + 2048 * 7995 / 10000);
        assert_int_equal(p.p99_us, 2048 + 2048 * 9795 / 10000);
}

static uint64_t random_of(uint64_t *seed)
{
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        return *seed;
}

static int compare(const void *a, const void *b)
{
        uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
        return (left > right) - (left < right);
}

static unsigned bucket_of(uint64_t us)
{
        unsigned bucket = 0;

        while (bucket < REQUEST_DURATION_BUCKETS - 1 && us >= 1ULL << bucket)
                bucket++;
        return bucket;
}

/* Requests that all take the same time are shown with about that time, wherever in its bucket it lies. */
static void equal_requests_have_their_duration(void **state)
{
        static const uint64_t times_us[] = {1, 530, 760, 1000000, 1048575, 1100000, 600000000, 5000000000};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(times_us); i++) {
                struct request_durations durations = {.total_ns = 10 * times_us[i] * 1000};
                durations.buckets[bucket_of(times_us[i])] = 10;
                const struct request_percentiles p = request_durations_percentiles(&durations);
                assert_int_equal(p.mean_us, times_us[i]);
                assert_in_range(p.p50_us, times_us[i] * 95 / 100, times_us[i] * 105 / 100);
                assert_true(p.p50_us <= p.p90_us && p.p90_us <= p.p99_us);
        }
}

/* The possible values of the percentile: those in its bucket that leave all other requests in theirs, with the measured
 * total. The `count` durations are sorted. */
static void assert_possible(const uint64_t *true_us, size_t count, unsigned percent, uint64_t found)
{
        size_t rank = (count * percent + 99) / 100;
        unsigned bucket = bucket_of(true_us[rank - 1]);
        double total = 0, least = 0, most = 0;
        double lower = bucket == 0 ? 0 : (double)(1ULL << (bucket - 1)), upper = (double)(1ULL << bucket);

        assert_int_equal(bucket_of(found), bucket);
        for (size_t i = 0; i < count; i++) {
                unsigned own = bucket_of(true_us[i]);
                double from = own == 0 ? 0 : (double)(1ULL << (own - 1)), to = (double)(1ULL << own);
                bool above = i + 1 >= rank && own == bucket, below = i + 1 <= rank && own == bucket;
                total += (double)true_us[i];
                least += above ? (double)found : from;
                most += below ? (double)found + 1 : to;
        }
        assert_true(lower <= (double)found && (double)found < upper);
        assert_true(least <= total + 0.001 && total <= most + 0.001);
}

/* Spread durations over two workers' histograms, by the definition in the header, and compare with the sorted truth. */
static void estimates_are_possible(void **state)
{
        static const unsigned percents[] = {1, 50, 90, 99, 100};
        uint64_t seed = 20260101, true_us[500];

        (void)state;
        for (unsigned round = 0; round < 500; round++) {
                uint32_t buckets[2][REQUEST_DURATION_BUCKETS] = {0};
                struct request_durations durations = {0};
                size_t count = 1 + random_of(&seed) % ELEMENTS(true_us);
                unsigned widest = 1 + (unsigned)(random_of(&seed) % 30);
                for (size_t i = 0; i < count; i++) {
                        true_us[i] = random_of(&seed) % (1ULL << (1 + random_of(&seed) % widest));
                        buckets[i % 2][bucket_of(true_us[i])]++;
                        durations.total_ns += true_us[i] * 1000;
                }
                qsort(true_us, count, sizeof(true_us[0]), compare);
                add(&durations, buckets[0]);
                add(&durations, buckets[1]);
                assert_int_equal(request_durations_count(&durations), count);
                for (size_t i = 0; i < ELEMENTS(percents); i++) {
                        uint64_t truth = true_us[(count * percents[i] + 99) / 100 - 1];
                        uint64_t found = request_durations_percentile_us(&durations, percents[i]);
                        assert_true(found <= 2 * truth && truth <= 2 * found);
                        assert_possible(true_us, count, percents[i], found);
                }
        }
}

/* A scoreboard may hold anything: estimates stay in the bucket. */
static void a_total_that_cannot_be_is_endured(void **state)
{
        static const uint64_t totals_ns[] = {0, 1, UINT64_MAX};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(totals_ns); i++)
                for (size_t bucket = 1; bucket < REQUEST_DURATION_BUCKETS - 1; bucket++) {
                        struct request_durations durations = {.total_ns = totals_ns[i]};
                        durations.buckets[bucket] = i == 2 ? UINT64_MAX : 7;
                        const struct request_percentiles p = request_durations_percentiles(&durations);
                        assert_in_range(p.p50_us, 1ULL << (bucket - 1), (1ULL << bucket) - 1);
                        assert_in_range(p.p99_us, 1ULL << (bucket - 1), (1ULL << bucket) - 1);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(summary_of_few),
                cmocka_unit_test(sums_do_not_wrap),
                cmocka_unit_test(the_line),
                cmocka_unit_test(histogram_edges),
                cmocka_unit_test(evenly_spread_requests_are_estimated_well),
                cmocka_unit_test(equal_requests_have_their_duration),
                cmocka_unit_test(estimates_are_possible),
                cmocka_unit_test(a_total_that_cannot_be_is_endured),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
