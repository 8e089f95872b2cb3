/* Scaling in a pool's turn as traces: see turn_text.h for the language. The numbers alone are test_scale's matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/scaling.h"
#include "unit/logic/policy/turn_text.h"

/* clang-format off */
/* Traces: a step a line. */

static void workers_come_and_go(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 8 spare 1 2 start 2 spare-timeout 10s",
             "1s -> launch a b serve (start) high 2",
             "2s a idle; b idle -> low 1 high 2",
             "3s a busy; b busy; pool queued 2 -> launch c d e serve (spare 0 < 1, 2 queued) high 2",
             "4s pool queued 0; a idle; b idle; c idle; d idle; e idle -> at 14s low 1 reset",
             ("14s pool water 4 -> say -2 workers (idle 4 > 2 for 10s); retire a (surplus); retire b (surplus) "
              "at 24s low 1 reset"));
}

/* Connections that rate_limit holds are no reason for more workers, nor are those that wait behind them. */
static void what_is_throttled_makes_nobody_come(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 8 spare 1 2 start 2",
             "1s -> launch a b serve (start) high 2",
             "2s a throttled; b idle; pool queued 9 -> low 1 high 2",
             "3s b throttled -> low 1 high 2",
             "4s a busy -> low 1 high 2",
             "# As soon as nobody is held, what waits is demand.",
             "5s b busy; pool queued 3 -> launch c d e f serve (spare 0 < 1, 3 queued) high 2");
        PLAY(scaling_decide, "pool ondemand max 4",
             "1s pool queued 3 -> launch a b c serve (3 queued, spare 0) high 0",
             "2s a throttled; b throttled; c throttled; pool queued 50 -> at 3s low 1 reset",
             "# They are spare, but no surplus: it looks again, because nobody tells when they hold nothing more.",
             "3s a idle; b idle; pool queued 0 -> say -2 workers (idle 2 > 0); retire a (surplus); retire b (surplus) at 4s low 1 reset",
             "# Above a lowered limit the others go first.",
             "4s pool max 1; d idle; e throttled -> say -2 workers (total 3 > 1); retire d (surplus); retire c (surplus) at 5s low 1 reset");
}

static void the_old_ones_go_first(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 8 spare 0 1 start 0 spare-timeout 0 generation 2",
             "1s a gen 2; b gen 1; c gen 2; d gen 1 busy; e gen 1 retiring; f gen 1 -> "
             "say -3 workers (idle 4 > 1); retire b (surplus); retire f (surplus); retire a (surplus) low 1 high 1");
}

static void two_that_are_one_count_once(void **state)
{
        (void)state;
        PLAY(scaling_decide, "# A roll's new ones beside those they stand for: no total of 4 > 2.",
             "pool static max 2 generation 2",
             "1s a gen 1; b gen 1; c roll; d roll starting ->",
             "# Of an older roll, they are workers like any other.",
             "2s pool generation 3 -> say -2 workers (total 4 > 2); retire a (surplus); retire b (surplus)");
}

static void only_so_many_a_turn_until_all_are_there(void **state)
{
        struct scaling_state scaling = {0};
        const struct pool_config config = {.scaling = SCALING_DYNAMIC, .max_workers = 200, .start_workers = 70,
                                           .max_spare_workers = 100, .min_spare_workers = 1};
        struct turn turn = {0};
        unsigned total = 0;

        (void)state;
        for (unsigned turns = 0; turns < 3; turns++) {
                const struct worker_row starting = {.life = {.state = WORKER_STARTING}};
                turn_begin(&turn, 1, 0);
                turn.config = &config;
                turn.limits = scale_limits_of(&config);
                turn.process_limit = 1000;
                turn.scaling = &scaling;
                assert_int_equal(worker_rows_reserve(&turn.rows, total), 0);
                for (unsigned i = 0; i < total; i++)
                        worker_rows_add(&turn.rows, &starting);
                scaling_decide(&turn);
                assert_int_equal(turn.orders.count, 1);
                total += turn.orders.items[0].count;
                assert_int_equal(total, MIN_OF(70U, (turns + 1) * TURN_LAUNCHES));
                assert_int_equal(turn.again, total < 70);
                assert_int_equal(scaling.started, total == 70);
        }
        turn_clear(&turn);
}

static void crowded_is_no_failure(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool static max 3 processes 4",
             "1s a busy; b retiring busy; c retiring busy -> launch d serve (static 3)",
             "2s ->",
             "3s d idle; c gone -> launch e serve (static 3)");
}

static void stopped_workers_are_no_idle_ones(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool static max 3",
             "1s a; b; c -> low 1",
             "2s a waiting stopped; b waiting stopped; c busy stopped -> watch",
             "# Above the limit those go that have no request.",
             "pool static max 1",
             "3s -> retire a (surplus); retire b (surplus) high 0 watch",
             "4s a gone; b gone -> watch");
        PLAY(scaling_decide, "# Idle ones go first.",
             "pool static max 3",
             "1s a waiting stopped; b; c -> low 1",
             "pool static max 2",
             "2s -> say -1 worker (total 3 > 2); retire b (surplus) low 1");
}

static void held_back(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool static max 2 backoff 5s",
             "1s -> at 5s",
             "5s -> launch a b serve (static 2)",
             "pool paused",
             "6s a gone ->");
        PLAY(scaling_decide, "# Closing down it serves what waits.",
             "pool dynamic max 4 spare 1 4 start 1 spare-timeout 10s closing-down",
             "1s -> high 4",
             "2s pool queued 2 -> launch a b c serve (spare 0 < 1, 2 queued) high 4");
}

static void people_hear_of_it_when_somebody_waits(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 1 spare 0 1 start 1 spare-timeout 10s",
             "1s -> launch a serve (start) high 1",
             "2s a busy; pool queued 1 -> warn saturated: 1 worker is in use, 1 connection waits; "
             "consider raising max_workers at 12s high 1",
             "3s pool queued 3 -> at 13s high 1",
             "4s pool queued 0; a idle -> at 5s reset",
             "5100ms -> say no longer saturated low 1 high 1",
             "6s a busy; pool queued 1 -> warn saturated: 1 worker is in use, 1 connection waits; "
             "consider raising max_workers at 16s high 1");
}

static void a_full_pool_that_refuses_has_a_process_for_it(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 1 spare 1 1 start 1 spare-timeout 10s refuse",
             "1s -> launch a serve (start) high 1",
             "2s a busy -> launch b refuse at 2100ms high 1",
             ("3s pool refused 2 -> warn saturated: 1 worker is in use, 2 connections were refused; "
              "consider raising max_workers at 13s high 1"),
             "4s a idle -> at 5s reset",
             "5200ms -> retire b (refuse) low 1 high 1",
             "# Relief is told when it has gone.",
             "6s b gone -> say no longer saturated; 2 connections were refused low 1 high 1",
             "7s pool refused 2 -> low 1 high 1");
        PLAY(scaling_decide, "# Who waits for one that starts is not refused, though none would be spare then.",
             "pool dynamic max 2 spare 2 2 start 2 spare-timeout 10s refuse",
             "1s -> launch a b serve (start) high 2",
             "2s pool queued 2 -> at 2100ms high 2",
             "2050ms a idle; pool queued 1 -> at 2150ms high 2",
             "3s a busy; b busy; pool queued 0 -> launch c refuse at 3100ms high 2");
        PLAY(scaling_decide, "# More than will be served at once.",
             "pool dynamic max 1 spare 1 1 start 1 spare-timeout 10s refuse",
             "1s -> launch a serve (start) high 1",
             ("2s pool queued 2 -> warn saturated: 1 worker is in use, 2 connections wait; consider raising max_workers; "
              "launch b refuse at 12s high 1"));
}

static void old_workers_hide_that_new_connections_find_none(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 4 spare 1 4 start 1 spare-timeout 10s generation 2",
             "1s a gen 1; b -> low 1 high 4",
             "2s A gen 1 1 queued 1 -> low 4294967295 high 4");
}

static void those_that_report_nothing(void **state)
{
        (void)state;
        PLAY(scaling_decide, "# Watched while one may be free. What waits is looked at again, until all are busy.",
             "pool dynamic max 8 spare 1 2 start 1 spare-timeout 10s",
             "1s a unwatched -> low 1 high 1 watch",
             "1s pool queued 1 -> at 1016ms low 1 high 1",
             "1016ms -> at 1024ms low 1 high 1", "1024ms -> at 1028ms low 1 high 1", "1028ms -> at 1030ms low 1 high 1",
             "1030ms -> at 1031ms low 1 high 1",
             "1031ms pool queued 3 -> launch b c d e serve (spare 0 < 1, 3 queued) at 1047ms high 2",
             "# The new ones are taken for free ones until it shows whether they are.",
             "1040ms b unwatched; c unwatched; d unwatched; e unwatched; pool queued 0 -> at 1056ms low 1 reset",
             "1056ms -> at 11040ms low 1 watch",
             "# One and an eighth of the surplus at a time.",
             "11040ms -> say -1 worker (idle 3 > 2 for 10s); retire a (surplus) low 1 high 0 watch",
             "11100ms a gone -> at 21100ms low 1 reset watch");
        PLAY(scaling_decide, "# It may be free, and is not in the idle set: the first that is there is one too many.",
             "pool dynamic max 1 spare 1 1 start 1 spare-timeout 10s",
             "1s a unwatched; b busy -> low 1 high 0 watch",
             "2s b idle -> say -1 worker (total 2 > 1); retire a (surplus) low 1 high 0 watch");
}

static void what_inetd_calls_wait(void **state)
{
        (void)state;
        PLAY(scaling_decide, "# Started when something waits; nobody knows when it has done, so it is never surplus.",
             "pool wait max 1 spare 0 0 spare-timeout 1s",
             "1s -> high 1 watch",
             "2s pool queued 1 -> launch a serve (1 queued, spare 0) high 1",
             "2010ms a unwatched; pool queued 0 -> low 1 high 0 watch",
             "60s -> low 1 high 0 watch",
             "# It ends when it likes, and what waits then starts the next.",
             "61s a gone -> high 1 watch",
             "62s pool queued 1 -> launch b serve (1 queued, spare 0) high 1");
        PLAY(scaling_decide, "# More of them, when those that there are take nothing.",
             "pool wait max 2 spare 0 0 spare-timeout 1s",
             "1s a unwatched; pool queued 1 -> at 1016ms low 1 high 1",
             "1016ms -> at 1024ms low 1 high 1", "1024ms -> at 1028ms low 1 high 1", "1028ms -> at 1030ms low 1 high 1",
             "1030ms -> at 1031ms low 1 high 1",
             "1031ms -> launch b serve (1 queued, spare 0) at 1047ms high 2");
        PLAY(scaling_decide, "# One that takes half a second to begin is not too few.",
             "pool wait max 1 spare 0 0 spare-timeout 1s",
             "1s pool queued 1 -> launch a serve (1 queued, spare 0) high 1",
             "1s a unwatched -> at 1016ms low 1 high 0",
             "1016ms -> at 1024ms low 1 high 0",
             "1024ms -> at 1028ms low 1 high 0",
             "1028ms -> at 1030ms low 1 high 0",
             "1030ms -> at 1031ms low 1 high 0",
             "1031ms -> at 1047ms high 1",
             "1500ms pool queued 0 -> at 1516ms reset",
             "1600ms a gone -> high 1 watch");
}

static void adaptive_keeps_levels(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool adaptive max 8 spare 0 8 worth 10s",
             "1s -> high 0 watch",
             "2s pool queued 2 -> launch a b serve (2 queued, spare 0) high 0 reached 2",
             "3s a busy; b busy; pool queued 0 level 2 3s -> high 0 watch",
             "4s a idle; b idle; pool level 2 4s level 1 4s -> at 14s low 1",
             ("14s pool level 1 9s -> say -1 worker (level 2 idle for 10.0 s > 10.0 s); retire a (surplus) "
              "at 19s low 1"),
             "19s -> say -1 worker (level 1 idle for 10.0 s > 10.0 s); retire b (surplus) high 0 watch");
}

/* clang-format on */

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(workers_come_and_go),
                cmocka_unit_test(what_is_throttled_makes_nobody_come),
                cmocka_unit_test(adaptive_keeps_levels),
                cmocka_unit_test(the_old_ones_go_first),
                cmocka_unit_test(two_that_are_one_count_once),
                cmocka_unit_test(only_so_many_a_turn_until_all_are_there),
                cmocka_unit_test(crowded_is_no_failure),
                cmocka_unit_test(stopped_workers_are_no_idle_ones),
                cmocka_unit_test(held_back),
                cmocka_unit_test(people_hear_of_it_when_somebody_waits),
                cmocka_unit_test(a_full_pool_that_refuses_has_a_process_for_it),
                cmocka_unit_test(those_that_report_nothing),
                cmocka_unit_test(what_inetd_calls_wait),
                cmocka_unit_test(old_workers_hide_that_new_connections_find_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
