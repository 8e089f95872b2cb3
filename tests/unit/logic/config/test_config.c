/* The configuration's own functions: finding, adding, limits, which options mean something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "prefork/scoreboard.h"
#include "unit/config_helpers.h"

static void test_limits_have_resources(void **state)
{
        (void)state;
        assert_int_equal(limit_resource(LIMIT_NOFILE), RLIMIT_NOFILE);
        assert_int_equal(limit_resource(LIMIT_AS), RLIMIT_AS);
        assert_int_equal(limit_resource(LIMIT_CORE), RLIMIT_CORE);
        assert_int_equal(limit_resource(LIMIT_CPU), RLIMIT_CPU);
        assert_int_equal(limit_resource(LIMIT_NPROC), RLIMIT_NPROC);
        assert_int_equal(limit_resource(LIMIT_DATA), RLIMIT_DATA);
        assert_int_equal(limit_resource(LIMIT_STACK), RLIMIT_STACK);
        assert_int_equal(limit_resource(LIMIT_FSIZE), RLIMIT_FSIZE);
}

static void test_pools_are_found_by_name(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};

        assert_null(config_find_pool(&config, "a"));
        struct pool_config *a = config_add_pool(&config, "a", (struct origin){.line = 3});
        struct pool_config *b = config_add_pool(&config, "b", (struct origin){0});
        assert_ptr_equal(config_find_pool(&config, "a"), a);
        assert_ptr_equal(config_find_pool(&config, "b"), b);
        assert_null(config_find_pool(&config, "ab"));
        assert_int_equal(a->section.line, 3);
}

static void test_file_names_are_kept_once(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        char name[] = "x.conf";

        const char *kept = config_intern_file(&config, name);
        name[0] = 'y';
        assert_string_equal(kept, "x.conf");
        assert_ptr_equal(config_intern_file(&config, "x.conf"), kept);
        assert_ptr_not_equal(config_intern_file(&config, name), kept);
        assert_int_equal(config.file_count, 2);
}

static void test_process_limit(void **state)
{
        (void)state;
        struct pool_config pool = {
                .max_workers = 64, .max_recycling = 2, .reload_surge_percent = 25, .max_detached_workers = 16};

        assert_int_equal(POOL_SLOTS, PREFORK_SCOREBOARD_SLOTS);
        assert_int_equal(pool_config_surge(&pool), 16);
        assert_int_equal(pool_config_process_limit(&pool), 64 + 2 + 16);
        pool.detach_after_ms = 1; /* detached workers count only where workers detach */
        assert_int_equal(pool_config_process_limit(&pool), 64 + 2 + 16 + 16);
        pool.max_workers = 1;
        assert_int_equal(pool_config_surge(&pool), 1); /* never none: a roll must get on */
        pool.max_workers = 65000;
        assert_int_equal(pool_config_process_limit(&pool), POOL_SLOTS);
}

static void test_which_options_mean_something(void **state)
{
        (void)state;
        static const enum pool_option file[] = {POOL_SOCKET_USER, POOL_SOCKET_GROUP, POOL_SOCKET_MODE};
        static const enum pool_option tcp[] = {POOL_FREE_BIND, POOL_TCP_NODELAY, POOL_TCP_KEEPALIVE, POOL_DEFER_ACCEPT};
        static const struct {
                const char *listen;
                bool file, tcp, ipv6;
        } cases[] = {
                {"127.0.0.1:1", .tcp = true},
                {"[::1]:1", .tcp = true, .ipv6 = true},
                {"/x", .file = true},
                {"@x"},
                {"@x /x 127.0.0.1:1", .file = true, .tcp = true},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(config_clear) struct config config = {0};
                _cleanup_(text_clear) struct text text = {0};
                assert_int_equal(text_appendf(&text, "[a]\nlisten = %s\nhandler = cat\n", cases[i].listen), 0);
                load_good(&config, "f", text_string(&text));
                for (size_t j = 0; j < ELEMENTS(file); j++)
                        assert_int_equal(pool_config_uses(config.pools[0], file[j]), cases[i].file);
                for (size_t j = 0; j < ELEMENTS(tcp); j++)
                        assert_int_equal(pool_config_uses(config.pools[0], tcp[j]), cases[i].tcp);
                assert_int_equal(pool_config_uses(config.pools[0], POOL_IPV6_ONLY), cases[i].ipv6);
                assert_true(pool_config_uses(config.pools[0], POOL_MIN_SPARE_WORKERS));
                config.pools[0]->scaling = SCALING_STATIC;
                assert_false(pool_config_uses(config.pools[0], POOL_MIN_SPARE_WORKERS));
                assert_true(pool_config_uses(config.pools[0], POOL_MAX_WORKERS));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_limits_have_resources),        cmocka_unit_test(test_pools_are_found_by_name),
                cmocka_unit_test(test_file_names_are_kept_once),     cmocka_unit_test(test_process_limit),
                cmocka_unit_test(test_which_options_mean_something),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
