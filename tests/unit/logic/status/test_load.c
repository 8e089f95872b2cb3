/* Busy workers on average, without a tick to count by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/status/load.h"

#define SECOND_NS UINT64_C(1000000000)

static void check(const struct load *load, uint64_t now_ms, uint64_t busy_ns, unsigned busy_now, double expected)
{
        double average = load_average(load, now_ms, busy_ns, busy_now);

        assert_true(average > expected - 0.001 && average < expected + 0.001);
}

static void test_at_first_it_is_the_present(void **state)
{
        struct load load = {0};

        (void)state;
        check(&load, 1000, 5 * SECOND_NS, 3, 3);
        load_note(&load, 1000, 5 * SECOND_NS);
        check(&load, 1000, 5 * SECOND_NS, 3, 3);
        check(&load, 1050, 5 * SECOND_NS, 2, 2); /* too short to say anything */
}

static void test_the_last_second(void **state)
{
        struct load load = {0};

        (void)state;
        /* nobody is busy for 10 seconds, and then 4 workers are */
        for (uint64_t ms = 0; ms <= 10000; ms += 500)
                load_note(&load, ms, 0);
        check(&load, 10500, 2 * SECOND_NS, 4, 2); /* half of a second */
        load_note(&load, 10500, 2 * SECOND_NS);
        check(&load, 11000, 4 * SECOND_NS, 4, 4);
        load_note(&load, 11000, 4 * SECOND_NS);
        check(&load, 11500, 4 * SECOND_NS, 0, 2); /* and are no more */
        load_note(&load, 11500, 4 * SECOND_NS);
        check(&load, 12000, 4 * SECOND_NS, 0, 0);
}

/* However often anybody asks: the notes cover the second, and all are told the same. */
static void test_many_ask(void **state)
{
        struct load load = {0};

        (void)state;
        for (uint64_t ms = 0; ms <= 5000; ms += 7) {
                check(&load, ms, ms * 3000000, 3, 3);
                load_note(&load, ms, ms * 3000000);
        }
        /* idle for the last half second; the note before the window is of 4410 */
        check(&load, 5500, 15 * SECOND_NS, 0, (15 - 4.41 * 3) / (5.5 - 4.41));
}

static void test_seldom(void **state)
{
        struct load load = {0};

        (void)state;
        load_note(&load, 1000, 0);
        check(&load, 4000, 6 * SECOND_NS, 7, 2);
        check(&load, 6001, 6 * SECOND_NS, 7, 7); /* too old */
        load_note(&load, 6001, 6 * SECOND_NS);
        check(&load, 6501, 7 * SECOND_NS, 7, 2); /* the one before is too old still */
}

static void test_it_is_never_less_than_nobody(void **state)
{
        struct load load = {0};

        (void)state;
        load_note(&load, 1000, 5 * SECOND_NS);
        check(&load, 2000, 4 * SECOND_NS, 1, 0); /* one was killed, and the time of its request is lost */
        check(&load, 900, 5 * SECOND_NS, 1, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_at_first_it_is_the_present),
                cmocka_unit_test(test_the_last_second),
                cmocka_unit_test(test_many_ask),
                cmocka_unit_test(test_seldom),
                cmocka_unit_test(test_it_is_never_less_than_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
