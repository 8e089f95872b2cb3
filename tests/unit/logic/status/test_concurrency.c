/* How many workers were busy at once, by the work that was done so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/status/concurrency.h"

static void test_table(void **state)
{
        static const struct {
                uint64_t work_us[6];
                struct concurrency expected;
        } rows[] = {
                {{0}, {0}},
                {{1000}, {1, 1, 1, 1, 1}},
                {{0, 1000}, {1, 2, 2, 2, 2}},
                {{0, 0, 0, 0, 0, 9000}, {9, 6, 6, 6, 6}},
                {{500000, 0, 500000}, {1000, 1, 3, 3, 3}},
                {{499999, 0, 500001}, {1000, 3, 3, 3, 3}},
                {{990000, 9000, 1000}, {1000, 1, 1, 1, 2}},
                {{990000, 8999, 1001}, {1000, 1, 1, 1, 3}},
                {{100000, 800000, 90000, 9000, 900, 100}, {1000, 2, 2, 3, 4}},
                {{UINT64_MAX, UINT64_MAX, 3}, {UINT64_MAX / 1000, 2, 2, 2, 2}},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct concurrency found = concurrency_of(rows[i].work_us, ELEMENTS(rows[i].work_us));
                print_message("row %zu: %llu %u %u %u %u\n", i, (unsigned long long)found.work_ms, found.p50, found.p90,
                              found.p99, found.p999);
                assert_memory_equal(&found, &rows[i].expected, sizeof(found));
        }
}

/* What the words mean: no more than so many, for that part of the work, and one less would not do. */
static void test_random(void **state)
{
        (void)state;
        srandom(99);
        for (unsigned round = 0; round < 20000; round++) {
                uint64_t work_us[40] = {0}, sum_us = 0, above_us = 0;
                for (size_t i = 0; i < ELEMENTS(work_us); i++)
                        sum_us += work_us[i] = random() % 3 == 0 ? (uint64_t)random() >> random() % 31 : 0;
                const struct concurrency found = concurrency_of(work_us, ELEMENTS(work_us));
                for (size_t i = ELEMENTS(work_us); i > found.p99; i--)
                        above_us += work_us[i - 1];
                assert_true(above_us <= sum_us / 100);
                assert_int_equal(found.p99 > 0, sum_us > 0);
                assert_true(found.p99 == 0 || above_us + work_us[found.p99 - 1] > sum_us / 100);
                assert_true(found.p50 <= found.p90 && found.p90 <= found.p99 && found.p99 <= found.p999);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_random),
        };

        return cmocka_run_group_tests_name("concurrency", tests, NULL, NULL);
}
