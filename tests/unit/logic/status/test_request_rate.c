/* Requests a second without a tick to count by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/status/request_rate.h"

static void check(const struct request_rate *rate, uint64_t now_ms, uint64_t requests, double per_second,
                  uint64_t window_ms)
{
        const struct request_rate_value value = request_rate_of(rate, now_ms, requests);

        assert_true(value.per_second > per_second - 0.01 && value.per_second < per_second + 0.01);
        assert_int_equal(value.window_ms, window_ms);
}

static void test_nothing_is_known_at_first(void **state)
{
        struct request_rate rate = {0};

        (void)state;
        check(&rate, 1000, 5, 0, 0);
        request_rate_note(&rate, 1000, 5);
        check(&rate, 1000, 5, 0, 0);
}

static void test_the_last_ten_seconds(void **state)
{
        struct request_rate rate = {0};

        (void)state;
        for (uint64_t second = 0; second <= 60; second++)
                request_rate_note(&rate, second * 1000, second < 50 ? 0 : (second - 50) * 100);
        check(&rate, 60000, 1000, 100, 10000);
        check(&rate, 60500, 1050, 100, 9500);
}

static void test_notes_that_follow_closely_are_left_out(void **state)
{
        struct request_rate rate = {0};

        (void)state;
        for (uint64_t ms = 0; ms < 100000; ms++)
                request_rate_note(&rate, ms, ms);
        assert_int_equal(rate.count, 100);
        check(&rate, 99999, 99999, 1000, 9999);
}

static void test_an_old_note_is_better_than_none(void **state)
{
        struct request_rate rate = {0};

        (void)state;
        request_rate_note(&rate, 0, 100);
        check(&rate, 600000, 700, 1, 600000);
        request_rate_note(&rate, 600000, 700);
        check(&rate, 600001, 700, 1, 600001); /* a window of a millisecond would say nothing */
        check(&rate, 601000, 800, 100, 1000);
}

static void test_what_cannot_be_is_harmless(void **state)
{
        struct request_rate rate = {0};

        (void)state;
        request_rate_note(&rate, 5000, 100);
        check(&rate, 7000, 50, 0, 2000); /* fewer than before */
        check(&rate, 4000, 200, 0, 0);   /* earlier than before */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_is_known_at_first),
                cmocka_unit_test(test_the_last_ten_seconds),
                cmocka_unit_test(test_notes_that_follow_closely_are_left_out),
                cmocka_unit_test(test_an_old_note_is_better_than_none),
                cmocka_unit_test(test_what_cannot_be_is_harmless),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
