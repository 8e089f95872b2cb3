/* What is known of workers that report nothing, by what waits at the pool's listeners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/policy/occupancy.h"

static struct occupancy_view look(struct occupancy *occupancy, uint64_t now_ms, unsigned queued)
{
        return occupancy_look(occupancy, now_ms, 4, 0, queued);
}

static void test_rests_while_nothing_comes(void **state)
{
        struct occupancy occupancy = {0};

        (void)state;
        for (uint64_t now_ms = 1000; now_ms < 5000; now_ms += 500) {
                struct occupancy_view view = look(&occupancy, now_ms, 0);
                assert_int_equal(view.free, 4);
                assert_true(view.watch);
                assert_int_equal(view.look_at_ms, 0);
        }
}

static void test_one_that_is_taken_is_no_shortage(void **state)
{
        struct occupancy occupancy = {0};

        (void)state;
        struct occupancy_view view = look(&occupancy, 1000, 3);
        assert_int_equal(view.free, 4);
        assert_false(view.watch);
        assert_int_equal(view.look_at_ms, 1016);
        view = look(&occupancy, 1016, 0);
        assert_int_equal(view.free, 4);
        assert_false(view.watch); /* not at once: a pool with traffic must not wake the master for each connection */
        assert_int_equal(view.look_at_ms, 1032);
        view = look(&occupancy, 1032, 0);
        assert_true(view.watch);
        assert_int_equal(view.look_at_ms, 0);
}

/* Look whenever it is due, while so many wait; when the pool is full. */
static uint64_t until_full(struct occupancy *occupancy, uint64_t now_ms, unsigned queued)
{
        for (int looks = 0; looks < 20; looks++) {
                struct occupancy_view view = look(occupancy, now_ms, queued);
                if (view.free == 0)
                        return now_ms;
                now_ms = view.look_at_ms;
        }
        return 0;
}

static void test_halving_samples(void **state)
{
        struct occupancy occupancy = {0};

        (void)state;
        assert_int_equal(until_full(&occupancy, 1000, 1), 1000 + 16 + 8 + 4 + 2 + 1);
}

static void test_looks_between_do_not_count(void **state)
{
        struct occupancy occupancy = {0};

        (void)state;
        for (uint64_t now_ms = 1000; now_ms < 1016; now_ms++)
                assert_int_equal(look(&occupancy, now_ms, 9).free, 4);
}

static void test_more_than_workers_need_one_sample(void **state)
{
        struct occupancy occupancy = {0};

        (void)state;
        assert_int_equal(until_full(&occupancy, 1000, 5), 1016);
}

static void test_one_sample_without_any_ends_it(void **state)
{
        struct occupancy occupancy = {0};

        (void)state;
        look(&occupancy, 1000, 1);
        look(&occupancy, 1016, 1);
        assert_int_equal(look(&occupancy, 1020, 0).free, 4); /* between two samples, too */
        look(&occupancy, 1036, 1);                           /* begins anew */
        assert_int_equal(until_full(&occupancy, 1036, 1), 1036 + 31);
}

static void test_new_ones_count_as_free(void **state)
{
        struct occupancy occupancy = {0};
        uint64_t full_ms = until_full(&occupancy, 1000, 3);

        (void)state;
        assert_int_equal(occupancy.full_since_ms, full_ms);
        assert_int_equal(occupancy_look(&occupancy, full_ms + 1, 6, 2, 3).free, 2);
        assert_int_equal(occupancy_look(&occupancy, full_ms + 2, 6, 9, 3).free, 6);
}

static void test_looks_less_often_while_it_stays_full(void **state)
{
        struct occupancy occupancy = {0};
        unsigned looks = 0;
        uint64_t now_ms = 1000;

        (void)state;
        for (; now_ms < 61000; looks++) {
                struct occupancy_view view = look(&occupancy, now_ms, 2);
                assert_true(view.look_at_ms > now_ms);
                now_ms = view.look_at_ms;
        }
        assert_in_range(looks, 10, 600);
        look(&occupancy, now_ms, 0); /* and it is quick again after it was free */
        look(&occupancy, now_ms + 16, 0);
        assert_int_equal(until_full(&occupancy, now_ms + 100, 1), now_ms + 100 + 31);
}

/* A program that hangs has not been free only because it is looked at again. */
static void test_was_full_until_nothing_waits(void **state)
{
        struct occupancy occupancy = {0};
        uint64_t now_ms = until_full(&occupancy, 1000, 1);

        (void)state;
        while (now_ms < 61000) {
                struct occupancy_view view = look(&occupancy, now_ms, 1);
                assert_int_equal(occupancy.low_water, 0);
                occupancy_reset_low_water(&occupancy, view.free);
                now_ms = view.look_at_ms;
        }
        look(&occupancy, now_ms, 0);
        occupancy_reset_low_water(&occupancy, 4);
        look(&occupancy, now_ms + 100, 1);
        look(&occupancy, now_ms + 101, 1);
        assert_int_equal(occupancy.low_water, 4);
}

static void test_the_lowest_number(void **state)
{
        struct occupancy occupancy = {0};

        (void)state;
        occupancy_reset_low_water(&occupancy, 4);
        look(&occupancy, 1000, 0);
        assert_int_equal(occupancy.low_water, 4);
        uint64_t full_ms = until_full(&occupancy, 2000, 1);
        look(&occupancy, full_ms + 1, 0);
        assert_int_equal(occupancy.low_water, 0);
        occupancy_reset_low_water(&occupancy, 4);
        assert_int_equal(occupancy.low_water, 4);
}

static void test_nobody_is_there(void **state)
{
        struct occupancy occupancy = {0};

        (void)state;
        until_full(&occupancy, 1000, 1);
        struct occupancy_view view = occupancy_look(&occupancy, 2000, 0, 0, 7);
        assert_int_equal(view.free, 0);
        assert_int_equal(view.look_at_ms, 0);
        assert_false(view.watch); /* the policy watches by itself when it has nobody */
}

static void test_gets_smaller_step_by_step(void **state)
{
        (void)state;
        assert_int_equal(occupancy_spare(3, 4), 3);
        assert_int_equal(occupancy_spare(4, 4), 4);
        assert_int_equal(occupancy_spare(5, 4), 5);
        assert_int_equal(occupancy_spare(6, 4), 5);
        assert_int_equal(occupancy_spare(20, 4), 7);
        assert_int_equal(occupancy_spare(100, 0), 13);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rests_while_nothing_comes),
                cmocka_unit_test(test_one_that_is_taken_is_no_shortage),
                cmocka_unit_test(test_halving_samples),
                cmocka_unit_test(test_looks_between_do_not_count),
                cmocka_unit_test(test_more_than_workers_need_one_sample),
                cmocka_unit_test(test_one_sample_without_any_ends_it),
                cmocka_unit_test(test_new_ones_count_as_free),
                cmocka_unit_test(test_looks_less_often_while_it_stays_full),
                cmocka_unit_test(test_was_full_until_nothing_waits),
                cmocka_unit_test(test_the_lowest_number),
                cmocka_unit_test(test_nobody_is_there),
                cmocka_unit_test(test_gets_smaller_step_by_step),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
