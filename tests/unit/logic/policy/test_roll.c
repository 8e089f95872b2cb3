/* The policy of rolling as traces: see turn_text.h for the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/roll.h"
#include "unit/logic/policy/turn_text.h"

/* clang-format off */
/* Traces: a step a line. */

static void one_goes_for_each_that_is_ready(void **state)
{
        (void)state;
        PLAY(roll_decide, "pool max 4 surge 50 generation 2",
             "1s a gen 1; b gen 1 busy; c gen 1 -> launch d e roll (generation 2, 3 of older ones left)",
             "2s ->",
             "# The one whose going costs least.",
             "3s e idle -> retire a (roll); settle e; launch f roll (generation 2, 2 of older ones left)",
             "4s a gone; d idle; f idle -> retire c (roll); settle d; retire b (roll); settle f",
             "5s ->");
}

static void an_idle_one_then_a_starting_one_then_a_busy_one(void **state)
{
        (void)state;
        PLAY(roll_decide, "pool max 9 surge 1 generation 2",
             "1s a gen 1 busy; b gen 1 starting; c gen 1 -> launch d roll (generation 2, 3 of older ones left)",
             "2s d idle -> retire c (roll); settle d; launch e roll (generation 2, 2 of older ones left)",
             "3s e idle -> retire b (roll); settle e; launch f roll (generation 2, 1 of older ones left)",
             "4s f busy -> retire a (roll); settle f");
}

static void the_surge_counts_retired_workers(void **state)
{
        (void)state;
        PLAY(roll_decide, "# Four may run, and one ahead; two that were asked to go serve long requests.",
             "pool max 4 surge 25 generation 3",
             "1s a gen 1 retiring busy; b gen 1 retiring busy; c gen 2; d gen 2; e gen 2 ->",
             "2s a gone -> launch f roll (generation 3, 3 of older ones left)",
             "3s f idle -> retire c (roll); settle f",
             "4s c gone -> launch g roll (generation 3, 2 of older ones left)");
        PLAY(roll_decide, "# A detached one is outside of all that; so is who refuses, but it knows the old listeners.",
             "pool max 1 surge 100 generation 2",
             "1s a gen 1; b detached busy gen 1; c refuse gen 1 busy -> "
             "retire c (roll); launch d roll (generation 2, 1 of older ones left)");
}

static void no_surge_is_one(void **state)
{
        (void)state;
        PLAY(roll_decide, "pool max 3 surge 0 generation 2",
             "1s a gen 1; b gen 1; c gen 1 -> launch d roll (generation 2, 3 of older ones left)");
}

static void old_listeners_keep_old_workers(void **state)
{
        (void)state;
        PLAY(roll_decide, "pool max 4 surge 50 generation 2",
             "1s a gen 1; b gen 1; A gen 1 1 queued 3 -> launch c d roll (generation 2, 2 of older ones left)",
             "# Both are ready: they stand for a pair each, and nobody is started ahead twice.",
             "2s c idle; d idle ->",
             "3s A gone -> retire a (roll); settle c; retire b (roll); settle d");
}

static void helpers_are_not_rolled(void **state)
{
        (void)state;
        PLAY(roll_decide, "# What drains closing listeners is no old worker, but its process takes room.",
             "pool max 2 surge 50 generation 3",
             "1s a drain gen 2 idle ->",
             "2s b gen 2 -> launch c roll (generation 3, 1 of older ones left)",
             "3s c idle -> retire b (roll); settle c");
}

static void an_older_roll_is_forgotten(void **state)
{
        (void)state;
        PLAY(roll_decide, "pool max 4 surge 25 generation 2",
             "1s a gen 1; b gen 1 -> launch c roll (generation 2, 2 of older ones left)",
             "# A second reload: what that roll has started is old itself.",
             "2s c idle; pool generation 3 -> launch d roll (generation 3, 3 of older ones left)",
             "3s d idle -> retire a (roll); settle d; launch e roll (generation 3, 2 of older ones left)");
}

static void a_new_one_that_dies_takes_nobody_along(void **state)
{
        (void)state;
        PLAY(roll_decide, "pool max 4 surge 25 generation 2",
             "1s a gen 1; A gen 1 1 queued 1 -> launch b roll (generation 2, 1 of older ones left)",
             "2s b idle ->",
             "3s b gone -> launch c roll (generation 2, 1 of older ones left)",
             "4s A gone ->",
             "5s c idle -> retire a (roll); settle c",
             "# Without an old one it serves like any other.",
             "6s a gone; d roll idle -> settle d");
}

static void it_waits_while_starts_fail(void **state)
{
        (void)state;
        PLAY(roll_decide, "pool max 4 surge 25 generation 2 backoff 5s",
             "1s a gen 1; b roll idle; c gen 1 -> retire a (roll); settle b",
             "5s -> launch d roll (generation 2, 1 of older ones left)",
             "pool closing-down",
             "6s d gone ->");
        PLAY(roll_decide, "# Workers that end hold the places of processes.",
             "pool max 4 surge 100 generation 2 processes 3",
             "1s a gen 1; b gen 1; c gen 1 retiring busy ->",
             "2s c gone -> launch d roll (generation 2, 2 of older ones left)");
}

static void only_so_many_a_turn(void **state)
{
        (void)state;
        struct turn turn = {0};
        struct scaling_state scaling = {0};
        const struct pool_config config = {.max_workers = 100, .reload_surge_percent = 100};
        const struct worker_row old = {.life = {.state = WORKER_READY}, .generation = 1, .idle = true};
        unsigned total = 0;

        assert_int_equal(worker_rows_reserve(&turn.rows, 100), 0);
        for (unsigned turns = 0; turns < 4; turns++) {
                turn_begin(&turn, 1, 2);
                turn.config = &config;
                turn.limits = scale_limits_of(&config);
                turn.process_limit = 1000;
                turn.scaling = &scaling;
                for (unsigned i = 0; i < 100; i++)
                        worker_rows_add(&turn.rows, &old);
                struct worker_row new = {.life = {.state = WORKER_STARTING}, .generation = 2, .purpose = WORKER_ROLL};
                assert_int_equal(worker_rows_reserve(&turn.rows, total), 0);
                for (unsigned i = 0; i < total; i++)
                        worker_rows_add(&turn.rows, &new);
                roll_decide(&turn);
                assert_int_equal(turn.orders.count, 1);
                assert_int_equal(turn.orders.items[0].count, turns < 3 ? TURN_LAUNCHES : 100 % TURN_LAUNCHES);
                assert_int_equal(turn.again, turns < 3);
                total += turn.orders.items[0].count;
        }
        turn_clear(&turn);
}

static void what_inetd_calls_wait(void **state)
{
        (void)state;
        PLAY(roll_decide, "# Nobody is started ahead: something must wait for that.",
             "pool wait max 4 surge 50 generation 2",
             "1s a gen 1 unwatched; b gen 1 unwatched; c unwatched -> retire a (roll); retire b (roll)",
             "2s a gone ->");
}

/* clang-format on */

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_inetd_calls_wait),
                cmocka_unit_test(one_goes_for_each_that_is_ready),
                cmocka_unit_test(an_idle_one_then_a_starting_one_then_a_busy_one),
                cmocka_unit_test(the_surge_counts_retired_workers),
                cmocka_unit_test(no_surge_is_one),
                cmocka_unit_test(old_listeners_keep_old_workers),
                cmocka_unit_test(helpers_are_not_rolled),
                cmocka_unit_test(an_older_roll_is_forgotten),
                cmocka_unit_test(a_new_one_that_dies_takes_nobody_along),
                cmocka_unit_test(it_waits_while_starts_fail),
                cmocka_unit_test(only_so_many_a_turn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
