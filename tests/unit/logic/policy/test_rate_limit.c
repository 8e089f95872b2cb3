/* A budget that is spent and grows back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/config.h"
#include "logic/policy/rate_limit.h"

static void a_burst_then_a_unit_a_millisecond(void **state)
{
        struct rate_limit limit = {0};
        unsigned taken = 0;

        (void)state;
        for (uint64_t now_ms = 5000; now_ms < 15000; now_ms++)
                for (int i = 0; i < 7; i++)
                        taken += rate_limit_take(&limit, now_ms, 100, 1);
        assert_int_equal(taken, 100 + 9999);
}

static void what_does_not_fit_spends_nothing(void **state)
{
        struct rate_limit limit = {0};

        (void)state;
        assert_true(rate_limit_take(&limit, 1, 100, 60));
        assert_false(rate_limit_take(&limit, 1, 100, 41));
        assert_true(rate_limit_take(&limit, 1, 100, 40));
        assert_int_equal(rate_limit_left(&limit, 1, 100), 0);
        rate_limit_give(&limit, 30);
        assert_int_equal(rate_limit_left(&limit, 1, 100), 30);
        rate_limit_give(&limit, UINT64_MAX);
        assert_int_equal(rate_limit_left(&limit, 1, 100), 100);
}

static void odd_times(void **state)
{
        struct rate_limit limit = {0};

        (void)state;
        assert_true(rate_limit_take(&limit, UINT64_MAX, 10, 10));
        assert_int_equal(rate_limit_left(&limit, 5, 10), 0); /* a clock that goes back gives nothing */
        assert_int_equal(rate_limit_left(&limit, UINT64_MAX, 10), 10);
        assert_false(rate_limit_take(&limit, 5, 10, UINT64_MAX));
}

/* How many of weight 1 are admitted in `us`, one a microsecond. */
static unsigned admitted(const struct rate *rate, uint64_t us)
{
        struct rate_limit limit = {0};
        unsigned count = 0;

        for (uint64_t now_us = 1000000; now_us < 1000000 + us; now_us++)
                count += rate_limit_admits(&limit, now_us, rate, 1);
        return count;
}

static void configured_rates(void **state)
{
        struct rate_limit limit = {0};

        (void)state;
        assert_int_equal(admitted(&(const struct rate){50, 1000, 50}, 100000), 50 + 4);
        assert_int_equal(admitted(&(const struct rate){600, 60000, 20}, 1000001), 20 + 10);
        assert_int_equal(admitted(&(const struct rate){1000000, 1000, 1}, 1000), 1000);
        assert_int_equal(admitted(&(const struct rate){1, 3600000, 1}, 100000), 1);
        /* What is heavier than a burst takes all of it. */
        const struct rate rate = {10, 1000, 5};
        assert_true(rate_limit_admits(&limit, 1000000, &rate, 9));
        assert_false(rate_limit_admits(&limit, 1000001, &rate, 1));
        assert_true(rate_limit_admits(&limit, 1500000, &rate, 9));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_burst_then_a_unit_a_millisecond),
                cmocka_unit_test(what_does_not_fit_spends_nothing),
                cmocka_unit_test(odd_times),
                cmocka_unit_test(configured_rates),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
