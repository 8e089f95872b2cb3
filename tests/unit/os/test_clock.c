#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "os/clock.h"

static void test_both_read_the_same_clock(void **state)
{
        (void)state;
        uint64_t before_ms = clock_now_ms();
        uint64_t now_ns = clock_now_ns();
        uint64_t after_ms = clock_now_ms();

        assert_true(before_ms > 0);
        assert_true(before_ms <= now_ns / 1000000 && now_ns / 1000000 <= after_ms);
}

static void test_advances(void **state)
{
        const struct timespec pause = {.tv_nsec = 20000000};

        (void)state;
        uint64_t start_ms = clock_now_ms();
        nanosleep(&pause, NULL);
        assert_true(clock_now_ms() - start_ms >= 19);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_both_read_the_same_clock),
                cmocka_unit_test(test_advances),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
