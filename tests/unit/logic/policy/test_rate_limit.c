/* A budget that is spent and grows back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_burst_then_a_unit_a_millisecond),
                cmocka_unit_test(what_does_not_fit_spends_nothing),
                cmocka_unit_test(odd_times),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
