/* What an agent says of a pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/agent_line.h"
#include "logic/status/status.h"

static struct status_pool pool_of(unsigned idle, unsigned busy)
{
        return (struct status_pool){.name = "www",
                                    .counts = {.idle = idle, .busy = busy, .total = idle + busy},
                                    .limits = {.max_workers = 16},
                                    .busy_average = busy};
}

static void check_in(struct status status, struct status_pool pool, const char *expected)
{
        _cleanup_(text_clear) struct text line = {0};

        status.pools = &pool;
        status.pool_count = 1;
        assert_int_equal(agent_line_append(&status, &pool, &line), 0);
        assert_string_equal(text_string(&line), expected);
}

static void check(struct status_pool pool, const char *expected)
{
        check_in((struct status){0}, pool, expected);
}

static void test_weights_go_in_steps(void **state)
{
        static const struct {
                double busy;
                unsigned percent;
        } rows[] = {{0, 100},  {0.39, 100}, {0.41, 95}, {4, 75}, {4.39, 75}, {4.41, 70},
                    {15.5, 5}, {15.59, 5},  {15.61, 1}, {16, 1}, {1000, 1}};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct status_pool pool = pool_of(4, 0);
                char expected[64];
                pool.busy_average = rows[i].busy;
                snprintf(expected, sizeof(expected), "up %u%% maxconn:16\n", rows[i].percent);
                check(pool, expected);
        }
}

static void test_all_busy_is_no_drain(void **state)
{
        struct status_pool pool = pool_of(0, 16);

        (void)state;
        check(pool, "up 1% maxconn:16\n");
        pool.state = STATUS_POOL_SATURATED;
        check(pool, "up 1% maxconn:16\n");
        pool.busy_average = 8; /* connections have waited, but for half of the time nobody did */
        check(pool, "up 50% maxconn:16\n");
}

/* Nobody knows whether they are busy, but whether connections wait. */
static void test_workers_that_report_nothing(void **state)
{
        struct status_pool pool = pool_of(0, 0);

        (void)state;
        pool.counts.unwatched = pool.counts.total = 16;
        check(pool, "up 100% maxconn:16\n");
        pool.state = STATUS_POOL_SATURATED;
        check(pool, "up 1% maxconn:16\n");
        pool.limits.max_workers = 0; /* of no version that is known */
        check(pool, "up 1% maxconn:1\n");
}

static void test_draining(void **state)
{
        struct status_pool pool = pool_of(4, 2);

        (void)state;
        pool.state = STATUS_POOL_DRAINING;
        pool.draining = true;
        check(pool, "up 0% maxconn:16\n");
        pool.state = STATUS_POOL_BACKING_OFF; /* which says more */
        check(pool, "up 0% maxconn:6\n");
        pool.state = STATUS_POOL_CLOSING;
        check(pool, "stopped #draining\n");
}

static void test_backing_off(void **state)
{
        struct status_pool pool = pool_of(0, 0);

        (void)state;
        pool.state = STATUS_POOL_BACKING_OFF;
        pool.counts.starting = 1;
        pool.failures = 1;
        check(pool, "down #backing off: 1 failed start\n");
        pool.failures = 3;
        check(pool, "down #backing off: 3 failed starts\n");
        /* who serves still does, and there are no more of them */
        pool = pool_of(6, 2);
        pool.state = STATUS_POOL_BACKING_OFF;
        check(pool, "up 40% maxconn:8\n");
        pool = pool_of(0, 2);
        pool.state = STATUS_POOL_BACKING_OFF;
        check(pool, "up 1% maxconn:2\n");
}

static void test_nobody_is_to_come(void **state)
{
        struct status_pool pool = pool_of(4, 0);

        (void)state;
        pool.state = STATUS_POOL_PAUSED;
        check(pool, "down #paused\n");
        pool.state = STATUS_POOL_NOT_LISTENING;
        check(pool, "down #not listening\n");
}

/* What all pools share, other pools may have. */
static void test_max_workers_total(void **state)
{
        (void)state;
        check_in((struct status){.total = {.max = 20, .used = 14}}, pool_of(2, 2), "up 50% maxconn:10\n");
        check_in((struct status){.total = {.max = 20, .used = 20}}, pool_of(0, 2), "up 1% maxconn:2\n");
        check_in((struct status){.total = {.max = 20, .used = 20}}, pool_of(0, 0), "up 1% maxconn:1\n");
        check_in((struct status){.total = {.max = 99, .used = 20}}, pool_of(2, 2), "up 90% maxconn:16\n");
}

static void test_during_a_roll(void **state)
{
        (void)state;
        check(pool_of(18, 0), "up 100% maxconn:16\n");
}

static void test_the_pool_of_that_name(void **state)
{
        struct status_pool pools[] = {pool_of(1, 0), pool_of(2, 0), pool_of(3, 0)};
        const struct status status = {.pools = pools, .pool_count = ELEMENTS(pools)};

        (void)state;
        pools[0].name = "git";
        pools[1].state = STATUS_POOL_CLOSING;
        assert_ptr_equal(status_find_pool(&status, "git"), &pools[0]);
        assert_ptr_equal(status_find_pool(&status, "www"), &pools[2]);
        assert_null(status_find_pool(&status, "mail"));
}

/* The operator's words, and more than a line, in no case. */
static void test_every_state(void **state)
{
        (void)state;
        for (int id = 0; id < STATUS_POOL_STATE_COUNT; id++)
                for (int draining = 0; draining < 2; draining++) {
                        _cleanup_(text_clear) struct text line = {0};
                        struct status_pool pool = pool_of(1, 1);
                        const struct status status = {.pools = &pool, .pool_count = 1};
                        pool.state = (enum status_pool_state)id;
                        pool.draining = draining != 0;
                        assert_int_equal(agent_line_append(&status, &pool, &line), 0);
                        const char *text = text_string(&line);
                        assert_ptr_equal(strchr(text, '\n'), text + line.length - 1);
                        assert_null(strstr(text, "ready"));
                        assert_null(strstr(text, "drain "));
                        assert_null(strstr(text, "maint"));
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_weights_go_in_steps),
                cmocka_unit_test(test_all_busy_is_no_drain),
                cmocka_unit_test(test_draining),
                cmocka_unit_test(test_backing_off),
                cmocka_unit_test(test_nobody_is_to_come),
                cmocka_unit_test(test_max_workers_total),
                cmocka_unit_test(test_during_a_roll),
                cmocka_unit_test(test_the_pool_of_that_name),
                cmocka_unit_test(test_every_state),
                cmocka_unit_test(test_workers_that_report_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
