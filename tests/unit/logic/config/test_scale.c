/* New limits for a running pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "logic/config/scale.h"
#include "unit/config_helpers.h"

#define FILE_TEXT                                                                                                      \
        "[a]\nlisten = 127.0.0.1:7\nhandler = cat\nmax_workers = 20\n"                                                 \
        "[b]\nlisten = 127.0.0.1:8\nhandler = cat\nscaling = static\n"

/* Scale by words; the result, or NULL and the expected problems. */
static struct config *scale_from(const struct config *running, const char *pool, const char *words, const char *expected)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(words_clear) struct words settings = {0};
        struct config *config;

        assert_int_equal(words_split(words, &settings), 0);
        assert_int_equal(config_scale(running, pool, settings.list, settings.count, &own_user, &config, &problems), 0);
        assert_problems(&problems, expected);
        assert_int_equal(config == NULL, expected[0] != '\0');
        return config;
}

static void free_config(struct config **config)
{
        if (*config)
                config_clear(*config);
        free(*config);
}

static void check_numbers(const char *words, uint64_t min, uint64_t start, uint64_t max_spare, uint64_t max_workers)
{
        _cleanup_(config_clear) struct config running = {0};

        load_good(&running, "f", FILE_TEXT);
        _cleanup_(free_config) struct config *config = scale_from(&running, "a", words, "");
        const struct pool_config *pool = config->pools[0];
        assert_int_equal(pool->min_spare_workers, min);
        assert_int_equal(pool->start_workers, start);
        assert_int_equal(pool->max_spare_workers, max_spare);
        assert_int_equal(pool->max_workers, max_workers);
        assert_int_equal(config->pool_count, 2);
        assert_int_equal(config->pools[1]->max_workers, 64);
}

static void check_refused(const char *pool, const char *words, const char *expected)
{
        _cleanup_(config_clear) struct config running = {0};

        load_good(&running, "f", FILE_TEXT);
        scale_from(&running, pool, words, expected);
}

static void test_unset_numbers_are_fitted_anew(void **state)
{
        (void)state;
        check_numbers("max_workers=30", 1, 4, 8, 30);
        check_numbers("max_workers=4", 1, 2, 4, 4);
        check_numbers("max=4", 1, 2, 4, 4);
        check_numbers("min_spare=6", 6, 7, 8, 20);
        check_numbers("min_spare_workers=6 max_spare_workers=6", 6, 6, 6, 20);
        check_numbers("max_workers=3 max_workers=5", 1, 3, 5, 5); /* the last one holds */
}

static void test_a_second_scale_goes_on_from_the_first(void **state)
{
        _cleanup_(config_clear) struct config running = {0};

        (void)state;
        load_good(&running, "f", FILE_TEXT);
        _cleanup_(free_config) struct config *first = scale_from(&running, "a", "max_workers=30 min_spare_workers=9", "");
        _cleanup_(free_config) struct config *second = scale_from(first, "a", "spare_timeout=3s", "");
        assert_int_equal(second->pools[0]->max_workers, 30);
        assert_int_equal(second->pools[0]->min_spare_workers, 9);
        assert_int_equal(second->pools[0]->spare_timeout_ms, 3000);
        scale_from(first, "a", "max_spare_workers=8", "min_spare_workers: 9 is more than max_spare_workers, which is 8");
}

static void test_what_is_refused(void **state)
{
        (void)state;
        check_refused("c", "max_workers=3", "there is no pool \"c\"");
        check_refused("a", "max_worker=3", "unknown key 'max_worker'; did you mean 'max_workers'?");
        check_refused("a", "x=3", "unknown key 'x'");
        check_refused("a", "max_workers=x", "max_workers: \"x\" is not a number; expected a whole number from 1 to 65000");
        check_refused("a", "max_workers=", "max_workers: no value; expected a whole number from 1 to 65000");
        check_refused("a", "user=root", "user cannot change without a reload: a change of it replaces the workers");
        check_refused("a", "backlog=3",
                      "backlog cannot change without a reload: a change of it applies to the open sockets");
        check_refused("a", "min_spare_workers=30", "min_spare_workers: 30 is more than max_workers, which is 20 at f:4");
        check_refused("b", "min_spare_workers=1",
                      "min_spare_workers: scaling is static, which always runs max_workers; remove this key");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unset_numbers_are_fitted_anew),
                cmocka_unit_test(test_a_second_scale_goes_on_from_the_first),
                cmocka_unit_test(test_what_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
