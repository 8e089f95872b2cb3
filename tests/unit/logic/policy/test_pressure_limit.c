/* growth_pressure_limit in a pool's turn, as traces: see turn_text.h for the language. What must hold in any trace is
 * in test_policies_random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/policy/pressure_limit.h"
#include "unit/logic/policy/turn_text.h"

/* clang-format off */
/* Traces: a step a line. */

static void growth_stops_and_goes_on(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 20 spare 1 4 start 2 spare-timeout 10s pressure-limit 60",
             "1s pool pressure 90 -> launch a b serve (start) high 2",
             "# All that are wanted at the start are there, whatever the pressure: more are not started.",
             "2s a busy; b busy; pool pressure 87 queued 3 -> say growth is held back at 2 workers, 4 missing (cpu pressure 87.00% > 60%); warn saturated: 2 workers are all in use, 3 connections wait; growth is held back (cpu pressure 87.00% > 60%) at 2250ms high 1",
             "2250ms pool pressure 61 -> at 2500ms high 1",
             "# Below it, in steps.",
             "2500ms pool pressure 60 -> launch c serve (spare 0 < 1, 3 queued) at 2750ms high 1",
             "2600ms c idle; c busy -> at 2850ms high 1",
             "2750ms pool pressure 20 -> launch d serve (spare 0 < 1, 3 queued) at 3s high 2",
             "2800ms d idle; d busy; pool queued 0 -> at 3050ms high 2",
             "3s pool pressure 20 -> say growth is no longer held back (cpu pressure 20.00% <= 60%); say no longer saturated; launch e serve (spare 0 < 1) high 4",
             "# It has all it wants.",
             "3100ms e idle; pool water 1 -> low 1 high 4",
             "4100ms pool pressure 20 -> low 1 high 4",
             "# From here on it grows at once, as ever.",
             "5s e busy; pool pressure 20 queued 9 -> launch f g h i j k l m n o serve (spare 0 < 1, 9 queued) high 4");
}

static void without_the_limit_nothing_is_held_back(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 20 spare 1 4 start 1",
             "1s a busy; pool pressure 99 queued 3 -> launch b c d e serve (spare 0 < 1, 3 queued) high 4");
        PLAY(scaling_decide, "# Nor if the pressure cannot be read.",
             "pool dynamic max 20 spare 1 4 start 1 pressure-limit 60",
             "1s a busy; pool no-pressure queued 3 -> launch b c d e serve (spare 0 < 1, 3 queued) high 4");
        PLAY(scaling_decide, "# Nor a static pool: it has its number.",
             "pool static max 3 pressure-limit 60",
             "1s a busy; pool pressure 99 queued 3 -> warn saturated: 3 workers are all in use, 3 connections wait; consider raising max_workers; launch b c serve (static 3) at 11s high 1");
}

static void who_ends_is_replaced(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 20 spare 0 4 start 1 spare-timeout 10s pressure-limit 60",
             "1s a busy; b busy; c busy; pool pressure 0 queued 0 -> high 4 watch",
             "2s c gone; pool pressure 99 queued 2 -> say growth is held back at 3 workers, 1 missing (cpu pressure 99.00% > 60%); warn saturated: 3 workers are all in use, 2 connections wait; growth is held back (cpu pressure 99.00% > 60%); launch d serve (2 queued, spare 0) at 2250ms high 1",
             "2250ms pool pressure 99 -> at 2500ms high 1",
             "# Also while growth is held back.",
             "2500ms b gone; pool pressure 99 -> launch e serve (2 queued, spare 1) at 2750ms high 1",
             "2750ms pool pressure 99 -> at 3s high 1");
}

static void the_first_worker_comes_in_any_case(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool ondemand max 8 spare-timeout 10s pressure-limit 60",
             "1s pool pressure 99 queued 3 -> say growth is held back at 1 worker, 2 missing (cpu pressure 99.00% > 60%); warn saturated: 1 worker is in use, 3 connections wait; growth is held back (cpu pressure 99.00% > 60%); launch a serve (3 queued, spare 0) at 1250ms high 0",
             "2s a busy; pool pressure 99 queued 2 -> at 2250ms high 0");
        PLAY(scaling_decide, "# With threads it is a whole process.",
             "pool ondemand max 8 threads 4 spare-timeout 10s pressure-limit 60",
             "1s pool pressure 99 queued 9 -> say growth is held back at 4 workers, 4 missing (cpu pressure 99.00% > 60%); warn saturated: 4 workers are all in use, 9 connections wait; growth is held back (cpu pressure 99.00% > 60%); launch a serve (9 queued, spare 0) at 1250ms high 2",
             "2s a busy; pool pressure 99 queued 5 -> at 2250ms high 2",
             "2250ms pool pressure 0 queued 5 -> launch b serve (5 queued, spare 0) at 2500ms high 3");
}

static void as_many_as_there_are_processors(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool ondemand max 8 spare-timeout 10s pressure-limit 60 cpus 3",
             "1s pool pressure 99 queued 5 -> say growth is held back at 3 workers, 2 missing (cpu pressure 99.00% > 60%); warn saturated: 3 workers are all in use, 5 connections wait; growth is held back (cpu pressure 99.00% > 60%); launch a b c serve (5 queued, spare 0) at 1250ms high 0",
             "2s a busy; b busy; c busy; pool pressure 99 queued 2 -> at 2250ms high 0");
}

static void min_spare_workers_is_what_a_pool_has_in_all(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 20 spare 3 4 start 3 spare-timeout 10s pressure-limit 60",
             "1s -> launch a b c serve (start) high 4",
             "2s a busy; b busy; c idle; pool pressure 99 -> say growth is held back at 3 workers, 2 missing (cpu pressure 99.00% > 60%) at 2250ms high 3",
             "# Crashed while nobody looked.",
             "3s b gone; c gone; pool pressure 99 -> launch d e serve (spare 0 < 3) at 3250ms high 3");
}

static void what_is_left_goes_by_when_full(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 20 spare 0 4 start 1 spare-timeout 10s pressure-limit 60 refuse",
             "1s a busy; pool pressure 0 -> high 4 watch",
             "2s pool pressure 99 queued 2 -> say growth is held back at 1 worker, 2 missing (cpu pressure 99.00% > 60%); warn saturated: 1 worker is in use, 2 connections wait; growth is held back (cpu pressure 99.00% > 60%); launch b refuse at 2250ms high 1",
             "# The refuser takes what waits: the pressure is looked at nevertheless.",
             "2250ms b ready; pool pressure 99 queued 0 refused 2 -> at 2500ms high 1",
             "2500ms pool pressure 30 queued 1 refused 2 -> launch c serve (1 queued, spare 0) at 2750ms high 1");
}

/* With somebody idle for a second, nobody is missing. */
static void it_is_over_when_nobody_is_missing(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 20 spare 0 4 start 1 spare-timeout 10s pressure-limit 60",
             "1s a busy; b busy; pool pressure 0 -> high 4 watch",
             "2s pool pressure 99 queued 2 water 0 -> say growth is held back at 2 workers, 2 missing (cpu pressure 99.00% > 60%); warn saturated: 2 workers are all in use, 2 connections wait; growth is held back (cpu pressure 99.00% > 60%) at 2250ms high 1",
             "2250ms a idle; b idle; pool pressure 99 queued 0 water 2 -> at 2500ms reset",
             "3250ms pool pressure 99 -> say growth is no longer held back (no worker is missing); say no longer saturated low 1 high 2",
             "4s -> low 1 high 4");
}

static void nobody_looks_who_does_not_grow(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 20 spare 1 4 start 2 spare-timeout 10s pressure-limit 60",
             "1s pool pressure 99 -> launch a b serve (start) high 2",
             "2s a idle; b busy; pool pressure 99 -> low 1 high 4",
             "3s a busy; b idle; pool pressure 99 -> low 1 high 4");
}

static void a_reload_lifts_it(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool dynamic max 4 spare 0 4 start 1 spare-timeout 10s pressure-limit 60",
             "1s a busy; pool pressure 0 -> high 4 watch",
             "2s pool pressure 99 queued 2 -> say growth is held back at 1 worker, 2 missing (cpu pressure 99.00% > 60%); warn saturated: 1 worker is in use, 2 connections wait; growth is held back (cpu pressure 99.00% > 60%) at 2250ms high 1",
             "2100ms pool pressure-limit 0 -> say growth is no longer held back; say no longer saturated; launch b c serve (2 queued, spare 0) high 4");
        PLAY(scaling_decide, "# At max_workers it is not the pressure.",
             "pool dynamic max 1 spare 0 1 start 1 spare-timeout 10s pressure-limit 60",
             "1s a busy; pool pressure 99 queued 2 -> warn saturated: 1 worker is in use, 2 connections wait; consider raising max_workers at 11s high 1");
}

/* The spare workers that adaptive scaling would start ahead, too. */
static void adaptive_scaling(void **state)
{
        (void)state;
        PLAY(scaling_decide, "pool adaptive max 20 spare 0 20 start 0 worth 10s pressure-limit 60",
             "1s a busy; pool pressure 0 -> high 0 watch reached 1",
             "2s pool pressure 99 queued 2 -> say growth is held back at 1 worker, 2 missing (cpu pressure 99.00% > 60%); warn saturated: 1 worker is in use, 2 connections wait; growth is held back (cpu pressure 99.00% > 60%) at 2250ms high 0 reached 1",
             "2250ms pool pressure 0 queued 2 -> launch b serve (2 queued, spare 0) at 2500ms high 0 reached 2");
}

/* clang-format on */

static void the_numbers_as_text(void **state)
{
        const struct pressure_hold above = {.resource = PRESSURE_MEMORY, .share = 6001, .limit = 6000},
                                   below = {.resource = PRESSURE_CPU, .share = 6000, .limit = 6000};
        char text[PRESSURE_TEXT_MAX];

        (void)state;
        assert_string_equal(pressure_hold_text(&above, text), "memory pressure 60.01% > 60%");
        assert_string_equal(pressure_hold_text(&below, text), "cpu pressure 60.00% <= 60%");
}

/* Of two resources that count, the one that is above its limit is told; if both are, memory, which allows less. */
static void two_resources(void **state)
{
        static const struct {
                uint64_t limits[PRESSURE_RESOURCE_COUNT];
                unsigned shares[PRESSURE_RESOURCE_COUNT];
                bool holds;
                enum pressure_resource resource;
        } rows[] = {
                {{50, 20}, {5100, 0}, true, PRESSURE_CPU},    {{50, 20}, {5100, 2100}, true, PRESSURE_MEMORY},
                {{50, 20}, {0, 2100}, true, PRESSURE_MEMORY}, {{50, 20}, {5000, 2000}, false, PRESSURE_CPU},
                {{50, 0}, {0, 9900}, false, PRESSURE_CPU},    {{0, 20}, {9900, 2001}, true, PRESSURE_MEMORY},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct scaling_state scaling = {0};
                struct pool_config config = {.scaling = SCALING_DYNAMIC, .max_workers = 9};
                struct turn turn = {.config = &config, .limits = {.max_workers = 9}, .scaling = &scaling};
                struct scale_limits limits = turn.limits;
                for (int j = 0; j < PRESSURE_RESOURCE_COUNT; j++) {
                        config.growth_pressure_limit.percent[j] = rows[i].limits[j];
                        turn.pressure[j] = (struct pressure_now){.at_ms = 1, .share = rows[i].shares[j]};
                }
                turn.cpus = 6;
                pressure_limit_apply(&turn, 4, &limits);
                assert_int_equal(limits.max_workers, !rows[i].holds ? 9 : rows[i].resource == PRESSURE_CPU ? 6 : 4);
                assert_int_equal(scaling.pressure.resource, rows[i].resource);
                assert_int_equal(scaling.pressure.share, rows[i].shares[rows[i].resource]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(growth_stops_and_goes_on),
                cmocka_unit_test(without_the_limit_nothing_is_held_back),
                cmocka_unit_test(who_ends_is_replaced),
                cmocka_unit_test(the_first_worker_comes_in_any_case),
                cmocka_unit_test(as_many_as_there_are_processors),
                cmocka_unit_test(min_spare_workers_is_what_a_pool_has_in_all),
                cmocka_unit_test(what_is_left_goes_by_when_full),
                cmocka_unit_test(it_is_over_when_nobody_is_missing),
                cmocka_unit_test(nobody_looks_who_does_not_grow),
                cmocka_unit_test(a_reload_lifts_it),
                cmocka_unit_test(adaptive_scaling),
                cmocka_unit_test(the_numbers_as_text),
                cmocka_unit_test(two_resources),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
