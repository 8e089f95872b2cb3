/* Back-off: which deaths count, how delays grow, and what a success does to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/policy/backoff.h"

#define MIN_MS 100
#define MAX_MS 30000

static void every_kind_of_death(void **state)
{
        (void)state;
        for (unsigned bits = 0; bits < 32; bits++) {
                struct backoff backoff = {0};
                const struct backoff_death death = {
                        .by_our_hand = bits & 1,
                        .by_others_hand = bits & 2,
                        .was_ready = bits & 4,
                        .had_served = bits & 8,
                        .pool_succeeded_since = bits & 16,
                };
                bool of_itself = !(bits & 3), before_ready = !(bits & 4), unproved = !(bits & 24);
                assert_int_equal(backoff_is_failure(&backoff, &death, 1000), of_itself && (before_ready || unproved));
        }
}

static unsigned failures_of(struct backoff *backoff, const struct backoff_death *death, uint64_t now_ms, unsigned times)
{
        unsigned failures = 0;

        while (times-- > 0)
                failures += backoff_is_failure(backoff, death, now_ms);
        return failures;
}

/* Workers are killed, or end without having been asked to, faster than requests succeed. */
static void too_many_excuses_are_a_failure(void **state)
{
        static const struct backoff_death deaths[] = {
                {.by_others_hand = true},
                {.by_others_hand = true, .was_ready = true, .had_served = true, .pool_succeeded_since = true},
                {.was_ready = true, .had_served = true},
                {.was_ready = true, .pool_succeeded_since = true},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(deaths); i++) {
                struct backoff backoff = {0};
                assert_int_equal(failures_of(&backoff, &deaths[i], 5000, 101), 1);
                assert_int_equal(failures_of(&backoff, &deaths[i], 5100, 2), 1);
                backoff_success(&backoff, 3);
                assert_int_equal(failures_of(&backoff, &deaths[i], 5100, 5), 2);
                backoff_success(&backoff, UINT64_MAX);
                assert_int_equal(failures_of(&backoff, &deaths[i], 5100, 110), 10);
                assert_int_equal(failures_of(&backoff, &deaths[i], 20000, 100), 0);
                assert_false(backoff_is_failure(&backoff, &(struct backoff_death){.by_our_hand = true}, 20000));
        }
}

static void delays_double_up_to_the_longest(void **state)
{
        static const uint64_t delays_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
        struct backoff backoff = {0};
        uint64_t now_ms = 5000;

        (void)state;
        assert_false(backoff_active(&backoff, now_ms));
        for (size_t i = 0; i < ELEMENTS(delays_ms); i++) {
                assert_int_equal(backoff_failure(&backoff, now_ms, MIN_MS, MAX_MS), delays_ms[i]);
                assert_int_equal(backoff.failures, i + 1);
                assert_true(backoff_active(&backoff, now_ms + delays_ms[i] - 1));
                now_ms += delays_ms[i];
                assert_false(backoff_active(&backoff, now_ms));
        }
}

static void a_batch_is_one_failure(void **state)
{
        struct backoff backoff = {0};

        (void)state;
        assert_int_equal(backoff_failure(&backoff, 1000, MIN_MS, MAX_MS), 100);
        assert_int_equal(backoff_failure(&backoff, 1000, MIN_MS, MAX_MS), 100);
        assert_int_equal(backoff_failure(&backoff, 1060, MIN_MS, MAX_MS), 40);
        assert_int_equal(backoff.failures, 1);
        assert_int_equal(backoff.not_before_ms, 1100);
}

static void a_success_resets_the_row(void **state)
{
        struct backoff backoff = {0};

        (void)state;
        for (uint64_t now_ms = 0; now_ms < 100000; now_ms += 10000)
                backoff_failure(&backoff, now_ms, MIN_MS, 5000);
        assert_int_equal(backoff.failures, 10);
        assert_true(backoff_active(&backoff, 94999));
        backoff_success(&backoff, 1);
        assert_true(backoff.succeeded);
        assert_int_equal(backoff.failures, 0);
        assert_false(backoff_active(&backoff, 90100));
        assert_int_equal(backoff_failure(&backoff, 95000, MIN_MS, 5000), 100);
        assert_false(backoff.succeeded);
}

/* New workers fail at once while an old one serves on: a success after every failure. */
static void successes_do_not_let_failures_spin(void **state)
{
        struct backoff backoff = {0};
        unsigned forks = 0;

        (void)state;
        for (uint64_t now_ms = 1; now_ms <= 10000; now_ms++) {
                if (!backoff_active(&backoff, now_ms)) {
                        forks++;
                        backoff_failure(&backoff, now_ms, MIN_MS, MAX_MS);
                }
                backoff_success(&backoff, 1);
        }
        assert_in_range(forks, 1, 10000 / MIN_MS + 1);
}

static void odd_limits(void **state)
{
        struct backoff backoff = {0};

        (void)state;
        assert_int_equal(backoff_failure(&backoff, 1000, 0, MAX_MS), 0);
        assert_false(backoff_active(&backoff, 1000));
        assert_int_equal(backoff_failure(&backoff, 1000, 500, 200), 200);
        backoff = (struct backoff){.failures = UINT32_MAX};
        assert_true(backoff_failure(&backoff, 1000, 3, UINT64_MAX) == UINT64_MAX);
        assert_int_equal(backoff.failures, UINT32_MAX);
        assert_true(backoff_active(&backoff, UINT64_MAX - 1));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_kind_of_death),
                cmocka_unit_test(too_many_excuses_are_a_failure),
                cmocka_unit_test(delays_double_up_to_the_longest),
                cmocka_unit_test(a_batch_is_one_failure),
                cmocka_unit_test(a_success_resets_the_row),
                cmocka_unit_test(successes_do_not_let_failures_spin),
                cmocka_unit_test(odd_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
