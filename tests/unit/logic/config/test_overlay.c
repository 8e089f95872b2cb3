/* Limits laid over a running pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "logic/config/config_options.h"
#include "logic/config/option_value.h"
#include "logic/config/overlay.h"
#include "logic/config/schema.h"
#include "unit/config_helpers.h"

#define FILE_TEXT                                                                                                      \
        "[a]\nlisten = 127.0.0.1:7\nhandler = cat\nmax_workers = 20\n"                                                 \
        "[b]\nlisten = 127.0.0.1:8\nhandler = cat\nscaling = static\n"                                                 \
        "[c]\nlisten = 127.0.0.1:9\nhandler = cat\nmin_spare_workers = 5\nmax_workers = 8\n"

/* A configured pool and what is laid over it. */
struct pool {
        struct config config;
        const struct pool_config *configured;
        struct overlay overlay;
};

static void load(struct pool *pool, const char *name)
{
        *pool = (struct pool){0};
        load_good(&pool->config, "f", FILE_TEXT);
        pool->configured = config_find_pool(&pool->config, name);
}

static void clear(struct pool *pool)
{
        overlay_clear(&pool->overlay);
        config_clear(&pool->config);
}

/* Scale by words; what is expected of it is in `expected`, "" if all is well. */
static void scale(struct pool *pool, const char *words, const char *expected)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(words_clear) struct words settings = {0};
        struct overlay next;

        assert_int_equal(words_split(words, &settings), 0);
        assert_int_equal(
                overlay_scale(&pool->overlay, pool->configured, settings.list, settings.count, &next, &problems), 0);
        assert_problems(&problems, expected);
        assert_int_equal(overlay_is_empty(&next), expected[0] != '\0');
        if (expected[0] != '\0')
                return;
        overlay_clear(&pool->overlay);
        pool->overlay = next;
}

static int shift(struct pool *pool, int by)
{
        struct overlay next;
        int r = overlay_shift(&pool->overlay, pool->configured, by, &next);

        if (r == 0) {
                overlay_clear(&pool->overlay);
                pool->overlay = next;
        } else
                assert_true(overlay_is_empty(&next));
        return r;
}

static void check(const struct pool *pool, uint64_t min, uint64_t start, uint64_t max_spare, uint64_t max_workers)
{
        const struct pool_config *limits = &pool->overlay.limits;

        assert_int_equal(limits->min_spare_workers, min);
        assert_int_equal(limits->start_workers, start);
        assert_int_equal(limits->max_spare_workers, max_spare);
        assert_int_equal(limits->max_workers, max_workers);
}

static void check_scaled(const char *words, uint64_t min, uint64_t start, uint64_t max_spare, uint64_t max_workers)
{
        _cleanup_(clear) struct pool pool;

        load(&pool, "a");
        scale(&pool, words, "");
        check(&pool, min, start, max_spare, max_workers);
        assert_int_equal(pool.configured->max_workers, 20);
        assert_int_equal(pool.configured->max_spare_workers, 8);
}

static void check_refused(const char *name, const char *words, const char *expected)
{
        _cleanup_(clear) struct pool pool;

        load(&pool, name);
        scale(&pool, words, expected);
        assert_true(overlay_is_empty(&pool.overlay));
}

static void test_unset_numbers_are_fitted_anew(void **state)
{
        (void)state;
        check_scaled("max_workers=30", 1, 4, 8, 30);
        check_scaled("max_workers=4", 1, 2, 4, 4);
        check_scaled("max=4", 1, 2, 4, 4);
        check_scaled("min_spare=6", 6, 7, 8, 20);
        check_scaled("min_spare_workers=6 max_spare_workers=6", 6, 6, 6, 20);
        check_scaled("max_workers=3 max_workers=5", 1, 3, 5, 5); /* the last one holds */
}

static void test_a_second_scale_goes_on_from_the_first(void **state)
{
        _cleanup_(clear) struct pool pool;

        (void)state;
        load(&pool, "a");
        scale(&pool, "max_workers=30 min_spare_workers=9", "");
        scale(&pool, "spare_timeout=3s", "");
        check(&pool, 9, 9, 9, 30);
        assert_int_equal(pool.overlay.limits.spare_timeout_ms, 3000);
        scale(&pool, "max_spare_workers=8", "min_spare_workers: 9 is more than max_spare_workers, which is 8");
        check(&pool, 9, 9, 9, 30);
        scale(&pool, "max_workers=4 min_spare_workers=1", ""); /* max_spare_workers is fitted from its default again */
        check(&pool, 1, 2, 4, 4);
}

static void test_what_is_refused(void **state)
{
        (void)state;
        check_refused("a", "max_worker=3", "unknown key 'max_worker'; did you mean 'max_workers'?");
        check_refused("a", "x=3", "unknown key 'x'");
        check_refused("a", "max_workers=x",
                      "max_workers: \"x\" is not a number; expected a whole number from 1 to 65000");
        check_refused("a", "max_workers=", "max_workers: no value; expected a whole number from 1 to 65000");
        check_refused("a", "user=root", "user cannot change without a reload: a change of it replaces the workers");
        check_refused("a", "backlog=3",
                      "backlog cannot change without a reload: a change of it applies to the open sockets");
        check_refused("a", "min_spare_workers=30",
                      "min_spare_workers: 30 is more than max_workers, which is 20 at f:4");
        check_refused("b", "min_spare_workers=1",
                      "min_spare_workers: scaling is static, which always runs max_workers; remove this key");
        check_refused("a", "restart_delay_min=3s restart_delay_max=2s",
                      "restart_delay_min: 3s is more than restart_delay_max, which is 2s");
        check_refused("a", "max_workers=64000",
                      "max_workers: 64000 workers, with those that reload_surge (25%), "
                      "max_recycling and max_detached_workers add, are too many; expected at most 65535 in all");
}

static void test_a_shift_takes_the_spare_workers_along_and_gives_them_back(void **state)
{
        _cleanup_(clear) struct pool pool;

        (void)state;
        load(&pool, "c"); /* 5 to 8 spare, 8 at most */
        assert_int_equal(shift(&pool, +1), 0);
        check(&pool, 5, 6, 8, 9);
        assert_int_equal(shift(&pool, -5), 0);
        check(&pool, 4, 4, 4, 4);
        assert_int_equal(shift(&pool, +2), 0);
        check(&pool, 5, 6, 6, 6);
        assert_int_equal(shift(&pool, +2), 0);
        assert_true(overlay_is_empty(&pool.overlay));
}

static void test_a_shift_has_bounds(void **state)
{
        _cleanup_(clear) struct pool pool;

        (void)state;
        load(&pool, "c");
        assert_int_equal(shift(&pool, -8), -ERANGE);
        assert_int_equal(shift(&pool, -7), 0);
        check(&pool, 1, 1, 1, 1);
        assert_int_equal(shift(&pool, -1), -ERANGE);
        check(&pool, 1, 1, 1, 1);
        assert_int_equal(shift(&pool, POOL_SLOTS / 2 - 1), 0);
        assert_int_equal(shift(&pool, +1), -ERANGE);
}

static void test_a_shift_of_a_static_pool(void **state)
{
        _cleanup_(clear) struct pool pool;

        (void)state;
        load(&pool, "b");
        assert_int_equal(shift(&pool, -1), 0);
        assert_int_equal(pool.overlay.limits.max_workers, 63);
        scale(&pool, "max_requests=7", "");
        assert_int_equal(pool.overlay.limits.max_workers, 63);
        assert_int_equal(pool.overlay.limits.max_requests, 7);
}

/* What it has become is what the next scale must agree with, and what it leaves alone. */
static void test_scale_after_a_shift(void **state)
{
        _cleanup_(clear) struct pool pool;

        (void)state;
        load(&pool, "c");
        assert_int_equal(shift(&pool, -4), 0);
        scale(&pool, "max_requests=7", "");
        check(&pool, 4, 4, 4, 4);
        assert_int_equal(pool.overlay.max_workers_shift, 0);
        scale(&pool, "min_spare_workers=6", "min_spare_workers: 6 is more than start_workers, which is 4");
        check(&pool, 4, 4, 4, 4);
}

static void test_changes(void **state)
{
        _cleanup_(clear) struct pool pool;

        (void)state;
        load(&pool, "a");
        assert_false(overlay_changes(&pool.overlay, pool.configured, POOL_MAX_WORKERS));
        scale(&pool, "max_workers=4 max_requests=0", "");
        assert_true(overlay_changes(&pool.overlay, pool.configured, POOL_MAX_WORKERS));
        assert_true(overlay_changes(&pool.overlay, pool.configured, POOL_MAX_SPARE_WORKERS)); /* fitted */
        assert_false(overlay_changes(&pool.overlay, pool.configured, POOL_MIN_SPARE_WORKERS));
        assert_false(overlay_changes(&pool.overlay, pool.configured, POOL_MAX_REQUESTS)); /* the same as before */
        assert_false(overlay_changes(&pool.overlay, pool.configured, POOL_LISTEN));
}

static void test_written_down_and_read_again(void **state)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(overlay_clear) struct overlay read = {0};
        _cleanup_(text_clear) struct text text = {0};
        _cleanup_(clear) struct pool pool;

        (void)state;
        load(&pool, "a");
        scale(&pool, "max_workers=30 spare_timeout=3s when_full=refuse", "");
        assert_int_equal(shift(&pool, -3), 0);
        assert_int_equal(overlay_print(&pool.overlay, &text), 0);
        assert_string_equal(text_string(&text), "max_workers=30 spare_timeout=3s when_full=refuse");
        assert_int_equal(overlay_parse(text_string(&text), -3, pool.configured, &read, &problems), 0);
        for (int i = 0; i < POOL_OPTION_COUNT; i++)
                assert_true(pool_option_equal(&read.limits, &pool.overlay.limits, (enum pool_option)i));
        overlay_clear(&read);
        assert_int_equal(overlay_parse("max_workers=9", -9, pool.configured, &read, &problems), -EINVAL);
        assert_problems(&problems, "max_workers cannot be shifted by -9");
        assert_true(overlay_is_empty(&read));
        assert_int_equal(overlay_parse("", 0, pool.configured, &read, &(struct problem_list){0}), 0);
        assert_true(overlay_is_empty(&read));
}

/* A value of several words is one word of the overlay. */
static void test_values_with_blanks_come_back(void **state)
{
        char workers[] = "max_workers=9", rate[] = "stderr_rate_limit=5/m burst 3";
        char *const settings[] = {workers, rate};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(text_clear) struct text text = {0};
        struct overlay overlay, read;

        (void)state;
        load_good(&config, "f", "[a]\nlisten = 127.0.0.1:7\nhandler = cat\n");
        assert_int_equal(overlay_scale(&(const struct overlay){0}, config.pools[0], settings, 2, &overlay, &problems),
                         0);
        assert_int_equal(overlay_print(&overlay, &text), 0);
        assert_int_equal(overlay_parse(text_string(&text), 0, config.pools[0], &read, &problems), 0);
        assert_false(problem_list_refuses(&problems));
        assert_true(pool_option_equal(&read.limits, &overlay.limits, POOL_STDERR_RATE_LIMIT));
        assert_int_equal(read.limits.stderr_rate_limit.burst, 3);
        assert_int_equal(read.limits.max_workers, 9);
        overlay_clear(&read);
        overlay_clear(&overlay);
}

/* The pool with its overlay is a copy that owns nothing. */
static void test_only_options_that_own_nothing_apply_in_place(void **state)
{
        (void)state;
        for (int i = 0; i < POOL_OPTION_COUNT; i++) {
                enum option_type type = pool_options[i].type;
                if (pool_options[i].effect == EFFECT_IN_PLACE && !pool_options[i].not_built)
                        assert_true(type == OPTION_BOOL || type == OPTION_NUMBER || type == OPTION_DURATION ||
                                    type == OPTION_SIZE || type == OPTION_PERCENT || type == OPTION_ENUM ||
                                    type == OPTION_RATE || type == OPTION_PREFIXES || type == OPTION_PRESSURE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unset_numbers_are_fitted_anew),
                cmocka_unit_test(test_a_second_scale_goes_on_from_the_first),
                cmocka_unit_test(test_what_is_refused),
                cmocka_unit_test(test_a_shift_takes_the_spare_workers_along_and_gives_them_back),
                cmocka_unit_test(test_a_shift_has_bounds),
                cmocka_unit_test(test_a_shift_of_a_static_pool),
                cmocka_unit_test(test_scale_after_a_shift),
                cmocka_unit_test(test_changes),
                cmocka_unit_test(test_written_down_and_read_again),
                cmocka_unit_test(test_values_with_blanks_come_back),
                cmocka_unit_test(test_only_options_that_own_nothing_apply_in_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
