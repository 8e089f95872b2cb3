#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/policy/adaptive.h"

#define LEVELS 16

/* A pool whose levels were busy at these times, in seconds; no spare worker pays unless a test says so. */
struct pool {
        struct adaptive_input input;
        struct adaptive_state state;
        uint64_t left_ms[LEVELS];
};

static struct adaptive_advice advise(struct pool *pool, uint64_t now_s)
{
        pool->input.now_ms = now_s * 1000;
        pool->input.left_ms = pool->left_ms;
        pool->input.levels = LEVELS;
        return adaptive_advise(&pool->input, &pool->state);
}

static struct pool pool_of(unsigned busy, unsigned idle)
{
        return (struct pool){.state = {.since_ms = 1},
                             .input = {.worth = {.start_ms = 10000},
                                       .idle = idle,
                                       .total = busy + idle,
                                       .max_spare = LEVELS,
                                       .max_workers = LEVELS,
                                       .max_spare_ms = 10000,
                                       .may_fork = true}};
}

static void a_level_is_kept_as_long_as_a_start_is_worth(void **state)
{
        struct pool pool = pool_of(1, 3);

        (void)state;
        pool.left_ms[3] = 100000; /* level 4 */
        pool.left_ms[1] = 105000;
        const struct adaptive_advice kept = advise(&pool, 109);
        assert_int_equal(kept.surplus, 0);
        assert_int_equal(kept.look_at_ms, 110000);
        const struct adaptive_advice gone = advise(&pool, 110);
        /* Level 3 was busy whenever level 4 was. */
        assert_int_equal(gone.surplus, 2);
        assert_int_equal(gone.level, 3);
        assert_int_equal(gone.level_idle_ms, 10000);
        assert_int_equal(gone.allowed_ms, 10000);
        assert_int_equal(gone.look_at_ms, 115000);
        assert_false(gone.by_bound);
}

/* Levels 2 and 3 are idle for long enough within the time that a wake-up costs. What the configuration says is exact.
 */
static void levels_that_follow_each_other_go_at_one_look(void **state)
{
        struct pool pool = pool_of(1, 3);

        (void)state;
        pool.input.worth.wakeup_ms = 2000;
        pool.left_ms[3] = 100000;
        pool.left_ms[2] = 100800;
        pool.left_ms[1] = 101000;
        assert_int_equal(advise(&pool, 109).look_at_ms, 111000);
        assert_int_equal(advise(&pool, 111).surplus, 3);

        struct pool bound = pool_of(1, 9);
        bound.input.worth = (struct worth){.start_ms = 60000, .wakeup_ms = 2000};
        bound.input.max_spare = 4;
        bound.left_ms[9] = 100000;
        assert_int_equal(advise(&bound, 109).look_at_ms, 110000);
}

static void what_is_not_known_is_kept(void **state)
{
        struct pool pool = pool_of(1, 3);

        (void)state;
        pool.state.since_ms = 0;
        const struct adaptive_advice advice = advise(&pool, 100);
        assert_int_equal(advice.surplus, 0);
        assert_int_equal(advice.reached, 4);
        assert_int_equal(advice.look_at_ms, 110000);
}

static void what_waits_keeps_levels(void **state)
{
        struct pool pool = pool_of(2, 0);

        (void)state;
        pool.input.queued = 20;
        const struct adaptive_advice advice = advise(&pool, 100);
        assert_int_equal(advice.reached, LEVELS); /* not more than max_workers */
        assert_int_equal(advice.surplus, 0);
}

static void idle_ones_that_are_about_to_accept_are_no_surplus(void **state)
{
        struct pool pool = pool_of(0, 5);

        (void)state;
        pool.input.queued = 2;
        assert_int_equal(advise(&pool, 100).surplus, 3);
}

/* They may be idle again at once, which wakes nobody. */
static void those_that_are_about_to_accept_are_looked_at_when_the_bound_says(void **state)
{
        struct pool pool = pool_of(0, 5);

        (void)state;
        pool.input.queued = 2;
        pool.input.max_spare = 3;
        pool.input.max_spare_ms = 300;
        pool.left_ms[4] = 95000;
        assert_int_equal(advise(&pool, 100).surplus, 0);
        assert_int_equal(advise(&pool, 100).look_at_ms, 100300);
}

static void more_than_max_spare_go_after_its_time(void **state)
{
        struct pool pool = pool_of(1, 9);

        (void)state;
        pool.input.worth.start_ms = 60000;
        pool.input.max_spare = 4;
        pool.left_ms[9] = 100000;
        assert_int_equal(advise(&pool, 109).surplus, 0);
        assert_int_equal(advise(&pool, 109).look_at_ms, 110000);
        const struct adaptive_advice advice = advise(&pool, 110);
        assert_int_equal(advice.surplus, 5);
        assert_true(advice.by_bound);
        assert_int_equal(advice.allowed_ms, 10000);
}

/* Those that the bound leaves go when their level does, and nobody looks for anything before. */
static void what_the_bound_leaves_is_not_looked_at(void **state)
{
        struct pool pool = pool_of(0, 4);

        (void)state;
        pool.input.worth.start_ms = 60000;
        pool.input.max_spare = 4;
        pool.left_ms[9] = 100000;
        const struct adaptive_advice advice = advise(&pool, 115);
        assert_int_equal(advice.surplus, 0);
        assert_int_equal(advice.look_at_ms, 160000);
}

static void min_spare_is_kept(void **state)
{
        struct pool pool = pool_of(1, 9);

        (void)state;
        pool.input.min_spare = 2;
        const struct adaptive_advice advice = advise(&pool, 100);
        assert_int_equal(advice.spare, 2);
        assert_int_equal(advice.surplus, 7);
        assert_int_equal(advice.spare_until_ms, 0);
}

/* Demand that needs a start every `pause_s`, beside as many starts under way. */
static void need_starts(struct pool *pool, unsigned starting, unsigned count, unsigned pause_s)
{
        uint64_t now_s = pool->input.now_ms / 1000;

        for (unsigned i = 0; i < count; i++) {
                pool->input.total = 5 + starting;
                pool->input.starting = starting;
                pool->input.queued = starting + 1 > pool->state.spare ? starting + 1 - pool->state.spare : 0;
                pool->input.idle = pool->state.spare > starting + 1 ? pool->state.spare - starting - 1 : 0;
                advise(pool, now_s += pause_s);
        }
        pool->input.starting = pool->input.queued = 0;
}

static void a_spare_worker_must_earn_what_it_costs(void **state)
{
        struct pool often = pool_of(5, 0), seldom = pool_of(5, 0);

        (void)state;
        often.input.worth.wait_ms = seldom.input.worth.wait_ms = 10000;
        need_starts(&often, 0, 100, 9); /* each saves a wait worth 10 s */
        assert_int_equal(often.state.spare, 1);
        need_starts(&seldom, 0, 100, 11);
        assert_int_equal(seldom.state.spare, 0);
        assert_int_equal(seldom.state.uses[1], 0);
}

static void where_a_wait_is_worth_nothing_there_are_none(void **state)
{
        struct pool pool = pool_of(5, 0);

        (void)state;
        need_starts(&pool, 0, 1000, 1);
        assert_int_equal(pool.state.spare, 0);
}

static void the_second_one_earns_only_while_one_starts(void **state)
{
        struct pool pool = pool_of(5, 0);

        (void)state;
        pool.input.worth.wait_ms = 10000;
        for (unsigned i = 0; i < 50; i++) {
                need_starts(&pool, 0, 1, 4);
                need_starts(&pool, 1, 1, 4);
        }
        assert_int_equal(pool.state.spare, 2);
}

static void what_was_earned_is_used_up(void **state)
{
        struct pool pool = pool_of(5, 0);

        (void)state;
        pool.input.worth.wait_ms = 10000;
        need_starts(&pool, 0, 100, 1);
        assert_int_equal(pool.state.spare, 1);
        pool.input.idle = 1;
        pool.input.total = 6;
        /* Asked when it says, and only then. */
        struct adaptive_advice advice = advise(&pool, 200);
        unsigned looks = 0;
        for (; advice.spare > 0 && looks < 20; looks++) {
                assert_true(advice.spare_until_ms > pool.input.now_ms);
                advice = advise(&pool, advice.spare_until_ms / 1000 + 1);
        }
        assert_int_equal(advice.spare, 0);
        assert_true(pool.input.now_ms < 3600000);
}

static void a_pool_that_is_used_up_all_the_time_wakes_nobody(void **state)
{
        struct pool pool = pool_of(5, 0);
        unsigned turns = 0;

        (void)state;
        pool.state.since_ms = 100000;
        pool.input.worth.wakeup_ms = 1000; /* a tenth of a start */
        while (pool.state.spare == 0 && turns < 1000) {
                pool.input.idle = turns % 2;
                pool.input.total = 6;
                pool.left_ms[5] = 100000;
                advise(&pool, 100 + turns++ / 100);
        }
        assert_in_range(turns, 10, 40);
}

static void long_silence_is_forgotten_at_once(void **state)
{
        struct pool pool = pool_of(5, 0);

        (void)state;
        pool.input.worth.wait_ms = 10000;
        need_starts(&pool, 0, 100, 1);
        pool.input.idle = 1;
        pool.input.total = 6;
        advise(&pool, UINT64_C(1) << 40);
        assert_int_equal(pool.state.spare, 0);
        assert_int_equal(pool.state.uses[0], 0);
}

/* Two processors and 8 GB. */
static void a_start_is_weighed_by_shares_of_the_machine(void **state)
{
        const struct worth_input php = {.start_cpu_us = 20000 - WORTH_MASTER_CPU_US,
                                        .start_us = 22000,
                                        .worker_bytes = UINT64_C(8) << 20,
                                        .machine_bytes = UINT64_C(8) << 30,
                                        .cpus = 2};
        const struct worth worth = worth_of_start(&php);

        (void)state;
        assert_int_equal(worth.start_ms, 10240);
        assert_int_equal(worth.wait_ms, (uint64_t)(2.4 * 10240 * 12 / 20)); /* 12 ms of it are noticed */
        assert_int_equal(worth.wakeup_ms, 51);
        assert_int_equal(worth.look_ms, 1);
}

/* A worker that is a fork needs less of a processor to start than the master does for it. */
static void the_master_takes_part_in_a_start(void **state)
{
        const struct worth_input known = {.start_cpu_us = 200, .worker_bytes = 1 << 18};
        const struct worth fork = worth_of_start(&known);

        (void)state;
        assert_int_equal(fork.start_ms, (200 + WORTH_MASTER_CPU_US) * 4096 / 1000);
        assert_true(fork.wakeup_ms < fork.start_ms);
}

static void quick_starts_have_no_wait(void **state)
{
        const struct worth_input quick = {.start_cpu_us = 800, .start_us = 9000, .cpus = 4};
        const struct worth nothing_known = worth_of_start(&(struct worth_input){0}), worth = worth_of_start(&quick);

        (void)state;
        assert_int_equal(worth.wait_ms, 0);
        assert_int_equal(worth.look_ms, 0);
        assert_in_range(nothing_known.start_ms, 1000, 60000);
        assert_int_equal(nothing_known.wait_ms, 0);
}

/* It is slow because the machine is busy, perhaps with starts. */
static void a_wait_counts_not_much_more_than_the_start(void **state)
{
        const struct worth_input busy = {.start_cpu_us = 1000, .start_us = 500000};
        const struct worth worth = worth_of_start(&busy);

        (void)state;
        assert_in_range(worth.wait_ms, worth.start_ms * 2, worth.start_ms * 3);
        assert_int_equal(worth.look_ms, 31);
}

static void a_worth_has_bounds(void **state)
{
        const struct worth_input cheap = {.start_cpu_us = 1, .worker_bytes = UINT64_C(1) << 40, .cpus = 1000},
                                 dear = {.start_cpu_us = UINT64_MAX, .start_us = UINT64_MAX, .worker_bytes = 1};
        const struct worth least = worth_of_start(&cheap), most = worth_of_start(&dear);

        (void)state;
        assert_int_equal(least.start_ms, WORTH_LEAST_MS);
        assert_int_equal(most.start_ms, WORTH_MOST_MS);
        assert_int_equal(most.wait_ms, WORTH_MOST_MS);
        assert_in_range(most.look_ms, 1, 1000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_level_is_kept_as_long_as_a_start_is_worth),
                cmocka_unit_test(levels_that_follow_each_other_go_at_one_look),
                cmocka_unit_test(what_is_not_known_is_kept),
                cmocka_unit_test(what_waits_keeps_levels),
                cmocka_unit_test(idle_ones_that_are_about_to_accept_are_no_surplus),
                cmocka_unit_test(those_that_are_about_to_accept_are_looked_at_when_the_bound_says),
                cmocka_unit_test(more_than_max_spare_go_after_its_time),
                cmocka_unit_test(what_the_bound_leaves_is_not_looked_at),
                cmocka_unit_test(min_spare_is_kept),
                cmocka_unit_test(a_spare_worker_must_earn_what_it_costs),
                cmocka_unit_test(where_a_wait_is_worth_nothing_there_are_none),
                cmocka_unit_test(the_second_one_earns_only_while_one_starts),
                cmocka_unit_test(what_was_earned_is_used_up),
                cmocka_unit_test(a_pool_that_is_used_up_all_the_time_wakes_nobody),
                cmocka_unit_test(long_silence_is_forgotten_at_once),
                cmocka_unit_test(a_start_is_weighed_by_shares_of_the_machine),
                cmocka_unit_test(the_master_takes_part_in_a_start),
                cmocka_unit_test(quick_starts_have_no_wait),
                cmocka_unit_test(a_wait_counts_not_much_more_than_the_start),
                cmocka_unit_test(a_worth_has_bounds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
