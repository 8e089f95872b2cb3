/* The rules of OpenMetrics and of the text format, for a status with everything that makes an exposition wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/status/metrics.h"
#include "logic/status/status.h"

/* "odd" has a successor of its name, and a listener that drains beside its own; its names need quoting. */
static struct status_listener odd_listeners[] = {{.address = "/run/a \"b\"\\c", .queue = 3, .backlog = 128},
                                                 {.address = "/run/a \"b\"\\c", .queue = 9, .closing = true}};
static struct status_listener www_listeners[] = {{.address = "127.0.0.1:80", .queue = 1, .backlog = 4096}};

static struct status make_status(struct status_pool pools[3])
{
        pools[0] = (struct status_pool){.name = "odd", .state = STATUS_POOL_CLOSING, .totals = {.requests = 77}};
        pools[1] = (struct status_pool){.name = "odd",
                                        .state = STATUS_POOL_BACKING_OFF,
                                        .listeners = odd_listeners,
                                        .listener_count = ELEMENTS(odd_listeners)};
        pools[2] = (struct status_pool){.name = "www",
                                        .state = STATUS_POOL_SATURATED,
                                        .counts = {.idle = 1, .busy = 4, .starting = 2, .total = 7, .retiring = 3},
                                        .limits = {.min_spare = 1, .max_spare = 3, .max_workers = 10},
                                        .peaks = {.busy = 9, .queued = 5, .demand = 14},
                                        .totals = {.requests = 6,
                                                   .busy_ns = 1234567890,
                                                   .handler_cpu_us = 2500000,
                                                   .forked_roll = 5,
                                                   .refused_access = 8,
                                                   .saturated_ms = 61001},
                                        .durations = {.buckets = {[0] = 1, [5] = 2, [31] = 3}, .total_ns = 1234567890},
                                        .listeners = www_listeners,
                                        .listener_count = ELEMENTS(www_listeners)};
        return (struct status){.version = "9.9",
                               .started_wall_ms = 1700000000123,
                               .configured_wall_ms = 1700000001000,
                               .upgrades = 2,
                               .counts = {.total = 7},
                               .total = {.max = 12, .used = 10},
                               .pools = pools,
                               .pool_count = 3};
}

static char *render(const struct status *status, enum metrics_format format)
{
        struct text text = {0};

        assert_int_equal(metrics_render(status, format, &text), 0);
        char *string = text_take(&text);
        assert_non_null(string);
        return string;
}

static char *render_all(enum metrics_format format)
{
        struct status_pool pools[3];
        const struct status status = make_status(pools);

        return render(&status, format);
}

static void assert_line(const char *text, const char *line)
{
        size_t length = strlen(line);

        for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
                if ((at == text || at[-1] == '\n') && at[length] == '\n')
                        return;
        print_error("no line: %s\nin:\n%s", line, text);
        fail();
}

static void test_samples(void **state)
{
        static const char *const lines[] = {
                "preforkd_build_info{version=\"9.9\"} 1",
                "preforkd_start_time_seconds 1700000000.123",
                "preforkd_config_last_reload_successful 1",
                "preforkd_upgrades_total 2",
                "preforkd_workers 7",
                "preforkd_workers_max 12",
                "preforkd_pool_workers{pool=\"www\",state=\"busy\"} 4",
                "preforkd_pool_workers_available{pool=\"www\"} 5",
                "preforkd_pool_workers_available{pool=\"odd\"} 0",
                "preforkd_pool_workers_busy_max{pool=\"www\"} 9",
                "preforkd_pool_listen_queue_max{pool=\"www\"} 5",
                "preforkd_pool_demand_max{pool=\"www\"} 14",
                "preforkd_pool_state{pool=\"www\",preforkd_pool_state=\"saturated\"} 1",
                "preforkd_pool_state{pool=\"www\",preforkd_pool_state=\"not listening\"} 0",
                "preforkd_pool_state{pool=\"odd\",preforkd_pool_state=\"backing off\"} 1",
                "preforkd_pool_listen_queue{pool=\"odd\",listener=\"/run/a \\\"b\\\"\\\\c\"} 3",
                "preforkd_pool_listen_backlog{pool=\"www\",listener=\"127.0.0.1:80\"} 4096",
                "preforkd_pool_request_duration_seconds_bucket{pool=\"www\",le=\"1.6e-05\"} 1",
                "preforkd_pool_request_duration_seconds_bucket{pool=\"www\",le=\"3.2e-05\"} 3",
                "preforkd_pool_request_duration_seconds_bucket{pool=\"www\",le=\"1073.741824\"} 3",
                "preforkd_pool_request_duration_seconds_bucket{pool=\"www\",le=\"+Inf\"} 6",
                "preforkd_pool_request_duration_seconds_sum{pool=\"www\"} 1.234",
                "preforkd_pool_request_duration_seconds_count{pool=\"www\"} 6",
                "preforkd_pool_requests_total{pool=\"www\"} 6",
                "preforkd_pool_requests_total{pool=\"odd\"} 0",
                "preforkd_pool_handler_cpu_seconds_total{pool=\"www\"} 2.500",
                "preforkd_pool_worker_starts_total{pool=\"www\",reason=\"roll\"} 5",
                "preforkd_pool_requests_refused_total{pool=\"www\",reason=\"access\"} 8",
                "preforkd_pool_saturated_seconds_total{pool=\"www\"} 61.001",
        };

        (void)state;
        for (int format = METRICS_TEXT; format <= METRICS_OPENMETRICS; format++) {
                _cleanup_(freep) char *text = render_all((enum metrics_format)format);
                for (size_t i = 0; i < ELEMENTS(lines); i++)
                        assert_line(text, lines[i]);
        }
}

static void test_descriptions_differ(void **state)
{
        _cleanup_(freep) char *open = render_all(METRICS_OPENMETRICS), *text = render_all(METRICS_TEXT);

        (void)state;
        assert_line(open, "# TYPE preforkd_build info");
        assert_line(text, "# TYPE preforkd_build_info gauge");
        assert_line(open, "# TYPE preforkd_pool_state stateset");
        assert_line(text, "# TYPE preforkd_pool_state gauge");
        assert_line(open, "# TYPE preforkd_pool_requests counter");
        assert_line(text, "# TYPE preforkd_pool_requests_total counter");
        assert_line(open, "# UNIT preforkd_pool_handler_cpu_seconds seconds");
        assert_null(strstr(text, "# UNIT"));
        assert_null(strstr(text, "# EOF"));
        size_t length = strlen(open);
        assert_string_equal(open + length - strlen("\n# EOF\n"), "\n# EOF\n");
        assert_ptr_equal(strstr(open, "# EOF"), open + length - strlen("# EOF\n"));
}

/* The series of an exposition: its lines up to the last blank, and the descriptions. */
static void list_series(char *text, struct words *ret)
{
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
                char *blank = line[0] == '#' ? NULL : strrchr(line, ' ');
                if (blank)
                        *blank = '\0';
                if (line[0] != '\0')
                        assert_int_equal(words_add(ret, line), 0);
        }
}

static void test_no_series_is_there_twice(void **state)
{
        _cleanup_(freep) char *text = render_all(METRICS_OPENMETRICS);
        _cleanup_(words_clear) struct words series = {0};

        (void)state;
        list_series(text, &series);
        for (size_t i = 0; i < series.count; i++)
                for (size_t other = 0; other < i; other++)
                        assert_string_not_equal(series.list[i], series.list[other]);
}

/* Each family is described once, TYPE first, and its samples follow at once. */
static void test_samples_follow_their_description(void **state)
{
        _cleanup_(freep) char *text = render_all(METRICS_OPENMETRICS);
        char family[128] = "";
        bool is_described = false;

        (void)state;
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL && !text_equal(line, "# EOF");) {
                char name[128];
                if (sscanf(line, "# TYPE %127s", name) == 1) {
                        snprintf(family, sizeof(family), "%s", name);
                        is_described = false;
                } else if (sscanf(line, "# UNIT %127s", name) == 1)
                        assert_true(text_equal(family, name) && !is_described);
                else if (sscanf(line, "# HELP %127s", name) == 1) {
                        assert_true(text_equal(family, name) && !is_described);
                        is_described = true;
                } else
                        assert_true(is_described && text_starts_with(line, family));
        }
}

/* Whatever happens to a pool, the same series are there. */
static void test_series_stay(void **state)
{
        struct status_pool before[3], after[3];
        const struct status first = make_status(before);
        struct status then = make_status(after);

        (void)state;
        after[2].state = STATUS_POOL_PAUSED;
        after[2].counts = (struct status_counts){0};
        memset(&after[2].totals, 0x11, sizeof(after[2].totals));
        memset(&after[2].waits, 0x11, sizeof(after[2].waits));
        then.config_refused = true;
        _cleanup_(freep) char *one = render(&first, METRICS_OPENMETRICS), *other = render(&then, METRICS_OPENMETRICS);
        _cleanup_(words_clear) struct words series = {0}, later = {0};
        list_series(one, &series);
        list_series(other, &later);
        assert_int_equal(series.count, later.count);
        for (size_t i = 0; i < series.count; i++)
                assert_string_equal(series.list[i], later.list[i]);
}

static void test_buckets_are_cumulative(void **state)
{
        _cleanup_(freep) char *text = render_all(METRICS_OPENMETRICS);
        unsigned long long before = 0;
        unsigned buckets = 0;

        (void)state;
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
                const char *value = strrchr(line, ' ');
                if (!text_starts_with(line, "preforkd_pool_request_duration_seconds_bucket{pool=\"www\""))
                        continue;
                unsigned long long count = strtoull(value, NULL, 10);
                assert_true(count >= before);
                before = count;
                buckets++;
        }
        assert_int_equal(buckets, 28);
}

/* Each counter is a metric, unless it is the sum of others or of a histogram. */
static void test_each_counter_is_a_metric(void **state)
{
        (void)state;
        for (int id = 0; id < COUNTER_COUNT; id++) {
                bool has_none = id == COUNTER_forked || id == COUNTER_refused || id == COUNTER_busy_ns;
                assert_int_equal(counter_table[id].metric == NULL, has_none);
        }
}

static void test_families_are_described(void **state)
{
        struct metric_family family;
        size_t count = 0;

        (void)state;
        for (; metric_family_get(count, &family); count++) {
                assert_true(text_starts_with(family.name, "preforkd_"));
                assert_true(strlen(family.help) > 0);
                if (family.unit)
                        assert_string_equal(family.name + strlen(family.name) - strlen(family.unit), family.unit);
        }
        assert_true(count > 30);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_descriptions_differ),
                cmocka_unit_test(test_no_series_is_there_twice),
                cmocka_unit_test(test_samples_follow_their_description),
                cmocka_unit_test(test_series_stay),
                cmocka_unit_test(test_buckets_are_cumulative),
                cmocka_unit_test(test_each_counter_is_a_metric),
                cmocka_unit_test(test_families_are_described),
        };

        return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
