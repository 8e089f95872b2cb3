/* A status read back from its document. The integration tests compare what the master writes with what is read; here is
 * what another program may have written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "document/status_document.h"

static int read_text(const char *text, json_t **ret_document, struct status *ret)
{
        *ret_document = json_loads(text, 0, NULL);
        assert_non_null(*ret_document);
        return status_document_read(*ret_document, ret);
}

static void test_what_is_there(void **state)
{
        _cleanup_(status_clear) struct status status = {0};
        json_t *document;

        (void)state;
        assert_int_equal(
                read_text(
                        "{\"master\": {\"version\": \"1.2\", \"state\": \"stopping\", \"pid\": 7, \"started_ms\": 5,"
                        "\"reload\": {\"successful\": false, \"success_ms\": 3}, \"upgrades\": 2, \"machine\": "
                        "{\"memory_bytes\": 51, \"cpus\": 52},"
                        "\"log\": {\"error\": \"full\"}},"
                        "\"pools\": [{\"name\": \"www\", \"state\": \"backing off\", \"draining\": true, "
                        "\"peaks\": {\"observed_ms\": 21, \"busy\": 22, \"queue\": 23, \"demand\": 24}, "
                        "\"concurrency\": {\"work_ms\": 61, \"p50\": 62, \"p90\": 63, \"p99\": 64, \"p999\": 65}, "
                        "\"busy_average\": 1.5, \"counts\": {\"idle\": 3, \"busy\": 1, "
                        "\"total\": 4},"
                        "\"limits\": {\"max_workers\": 9, \"threads_per_worker\": 3, \"scaling\": \"adaptive\", "
                        "\"spare_timeout_ms\": 31}, "
                        "\"when_full\": \"refuse\", \"max_requests\": 32, \"starts\": {\"cpu_us\": 33, "
                        "\"duration_us\": 34, \"worker_bytes\": 35, \"worth_ms\": 36, \"wait_worth_ms\": 37}, "
                        "\"adaptive\": {\"level\": 38, \"off_delay_ms\": 39, \"level_idle_ms\": 40, \"spare_workers\": "
                        "41}, \"handler_type\": \"module\", \"totals\": {\"requests\": 11, \"busy_ms\": 12, "
                        "\"saturated_ms\": 13},"
                        "\"duration_us\": {\"mean\": 2, \"p50\": 3, \"p99\": 5, \"buckets\": [1, 0, 2]}, "
                        "\"wait_us\": {\"p90\": 6, \"buckets\": [0, 0, 4]},"
                        "\"listeners\": [{\"address\": \"/run/a\", \"queue\": 5, \"backlog\": 6, \"closing\": "
                        "true, \"error\": \"in use\"}]}]}",
                        &document, &status),
                0);
        assert_string_equal(status.version, "1.2");
        assert_string_equal(status.state, "stopping");
        assert_true(status.config_refused);
        assert_int_equal(status.upgrades, 2);
        assert_string_equal(status.log.error, "full");
        assert_int_equal(status.pool_count, 1);
        const struct status_pool *pool = &status.pools[0];
        assert_string_equal(pool->name, "www");
        assert_int_equal(pool->state, STATUS_POOL_BACKING_OFF);
        assert_true(pool->draining);
        assert_true(pool->busy_average > 1.49 && pool->busy_average < 1.51);
        assert_int_equal(status.memory_bytes, 51);
        assert_int_equal(status.cpus, 52);
        assert_int_equal(pool->limits.scaling, SCALING_ADAPTIVE);
        assert_int_equal(pool->limits.spare_timeout_ms, 31);
        assert_true(pool->refuses);
        assert_int_equal(pool->max_requests, 32);
        assert_int_equal(pool->starts.cpu_us, 33);
        assert_int_equal(pool->starts.duration_us, 34);
        assert_int_equal(pool->starts.worker_bytes, 35);
        assert_int_equal(pool->starts.worth_ms, 36);
        assert_int_equal(pool->starts.wait_ms, 37);
        assert_int_equal(pool->adaptive.level, 38);
        assert_int_equal(pool->adaptive.off_delay_ms, 39);
        assert_int_equal(pool->adaptive.idle_ms, 40);
        assert_int_equal(pool->adaptive.spare, 41);
        assert_string_equal(pool->handler_type, "module");
        assert_int_equal(pool->peaks.observed_ms, 21);
        assert_int_equal(pool->peaks.busy, 22);
        assert_int_equal(pool->peaks.queued, 23);
        assert_int_equal(pool->peaks.demand, 24);
        assert_int_equal(pool->concurrency.work_ms, 61);
        assert_int_equal(pool->concurrency.p50, 62);
        assert_int_equal(pool->concurrency.p90, 63);
        assert_int_equal(pool->concurrency.p99, 64);
        assert_int_equal(pool->concurrency.p999, 65);
        assert_int_equal(pool->counts.idle, 3);
        assert_int_equal(pool->limits.max_workers, 9);
        assert_int_equal(pool->limits.unit, 3);
        assert_int_equal(pool->totals.requests, 11);
        assert_int_equal(pool->totals.busy_ns, 12000000);
        assert_int_equal(pool->totals.saturated_ms, 13);
        assert_int_equal(pool->durations.total_ns, 12000000);
        assert_int_equal(pool->durations.buckets[2], 2);
        /* Not what would be estimated of the buckets here, where the sum is known in milliseconds. */
        assert_int_equal(pool->times.mean_us, 2);
        assert_int_equal(pool->times.p50_us, 3);
        assert_int_equal(pool->times.p99_us, 5);
        assert_int_equal(pool->wait_times.p90_us, 6);
        assert_int_equal(request_durations_count(&pool->waits), 4);
        assert_true(pool->waits.total_ns > 0);
        assert_int_equal(pool->listener_count, 1);
        assert_string_equal(pool->listeners[0].address, "/run/a");
        assert_int_equal(pool->listeners[0].backlog, 6);
        assert_true(pool->listeners[0].closing);
        assert_string_equal(pool->listeners[0].error, "in use");
        assert_int_equal(status.counts.total, 4);
        json_decref(document);
}

/* Nothing but what is wrong is missing. */
static void test_what_another_program_may_write(void **state)
{
        static const char *const documents[] = {
                "{\"master\": {}, \"pools\": []}",
                "{\"master\": {\"version\": 5, \"log\": [], \"upgrades\": -1}, \"pools\": [1, null, \"\", [], {}]}",
                "{\"master\": {}, \"pools\": [{\"name\": [], \"state\": \"dancing\", \"busy_average\": -1e300, "
                "\"counts\": {\"idle\": -7},"
                "\"totals\": {\"requests\": -1, \"busy_ms\": 9223372036854775807}, \"listeners\": {\"a\": 1},"
                "\"duration_us\": {\"buckets\": [-1, \"x\", 9223372036854775807, 9223372036854775807]}}]}",
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(documents); i++) {
                _cleanup_(status_clear) struct status status = {0};
                json_t *document;
                assert_int_equal(read_text(documents[i], &document, &status), 0);
                assert_non_null(status.version);
                for (size_t pool = 0; pool < status.pool_count; pool++) {
                        assert_non_null(status.pools[pool].name);
                        assert_int_equal(status.pools[pool].counts.idle, 0);
                        assert_true(status.pools[pool].busy_average >= 0);
                        assert_int_equal(status.pools[pool].totals.requests, 0);
                }
                json_decref(document);
        }
}

static void test_no_status(void **state)
{
        static const char *const documents[] = {"{}", "[]", "{\"master\": {}}", "{\"master\": [], \"pools\": []}",
                                                "{\"master\": {}, \"pools\": {}}"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(documents); i++) {
                struct status status;
                json_t *document;
                assert_int_equal(read_text(documents[i], &document, &status), -EPROTO);
                json_decref(document);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_there),
                cmocka_unit_test(test_what_another_program_may_write),
                cmocka_unit_test(test_no_status),
        };

        return cmocka_run_group_tests_name("status_document", tests, NULL, NULL);
}
