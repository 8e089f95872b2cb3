/* Wake-ups: bursts pass, storms are bounded and told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/policy/wake_limit.h"

struct tally {
        unsigned turns, pauses, told;
};

/* Workers that always want something, ten times a millisecond, until `end_ms`. */
static struct tally storm(struct wake_limit *limit, uint64_t begin_ms, uint64_t end_ms)
{
        struct tally tally = {0};

        for (uint64_t now_ms = begin_ms; now_ms < end_ms; now_ms++)
                for (int i = 0; i < 10; i++) {
                        struct wake_verdict verdict = wake_limit_note(limit, now_ms);
                        tally.turns++;
                        tally.told += verdict.tell;
                        if (verdict.pause) {
                                tally.pauses++;
                                now_ms += WAKE_LIMIT_PAUSE_MS - 1;
                                break;
                        }
                }
        return tally;
}

static void a_burst_is_answered_at_once(void **state)
{
        struct wake_limit limit = {0};

        (void)state;
        for (int i = 1; i < WAKE_LIMIT_BURST; i++)
                assert_false(wake_limit_note(&limit, 1000).pause);
        assert_true(wake_limit_note(&limit, 1000).pause);
        assert_false(wake_limit_note(&limit, 1000 + WAKE_LIMIT_PAUSE_MS).pause);
}

static void what_is_slow_enough_never_pauses(void **state)
{
        struct wake_limit limit = {0};

        (void)state;
        for (uint64_t now_ms = 1; now_ms < 100000; now_ms++)
                assert_false(wake_limit_note(&limit, now_ms).pause);
}

static void a_storm_is_bounded_and_told_once(void **state)
{
        struct wake_limit limit = {0};

        (void)state;
        struct tally tally = storm(&limit, 1000, 61000);
        assert_in_range(tally.turns, 55000, 60000 + WAKE_LIMIT_BURST);
        assert_int_equal(tally.told, 1);
        assert_int_equal(storm(&limit, 61100, 71000).told, 0); /* the same one, with a pause */
        assert_int_equal(storm(&limit, 171000, 181000).told, 1);
}

static void a_short_one_is_not_told(void **state)
{
        struct wake_limit limit = {0};

        (void)state;
        for (uint64_t begin_ms = 1000; begin_ms < 100000; begin_ms += 1500) {
                struct tally tally = storm(&limit, begin_ms, begin_ms + 900);
                assert_true(tally.pauses > 10);
                assert_int_equal(tally.told, 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_burst_is_answered_at_once),
                cmocka_unit_test(what_is_slow_enough_never_pauses),
                cmocka_unit_test(a_storm_is_bounded_and_told_once),
                cmocka_unit_test(a_short_one_is_not_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
