/* The option table: complete, consistent, and its defaults good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <syslog.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"
#include "unit/config_helpers.h"

static void check_rows(const struct option *options, int count, int (*find)(const char *))
{
        for (int i = 0; i < count; i++) {
                const struct option *option = &options[i];
                assert_non_null(option->name);
                assert_int_equal(find(option->name), i); /* there, and there once */
                for (const char *at = option->name; *at != '\0'; at++)
                        assert_true(islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_');
                assert_true(strlen(option->name) < 40);
                assert_non_null(option->help);
                assert_true(option->help[0] != '\0' && option->help[strlen(option->help) - 1] != '.');
                assert_null(strchr(option->help, '\n'));
                assert_true(strlen(option_type_name(option->type)) > 0);
                assert_true(strlen(reload_effect_name(option->effect)) > 0);
                if (option->not_built)
                        continue;
                assert_true(option->offset > 0);
                assert_int_equal(option->type == OPTION_ENUM || option->type == OPTION_LOG_TARGET,
                                 option->choices != NULL);
                /* control alone: an empty value takes the default away. */
                assert_true(!option->optional || !option->default_text || text_equal(option->name, "control"));
                assert_true(option->type == OPTION_SIGNED ? (int64_t)option->min <= (int64_t)option->max
                                                          : option->min <= option->max);
                assert_true((option->type == OPTION_SIGNED && option->optional) == (option->set_offset > 0));
        }
}

static void test_rows_are_consistent(void **state)
{
        (void)state;
        check_rows(pool_options, POOL_OPTION_COUNT, pool_option_find);
        check_rows(master_options, MASTER_OPTION_COUNT, master_option_find);
        assert_int_equal(pool_option_find("max_worker"), -1);
        assert_int_equal(pool_option_find(""), -1);
        /* A key belongs to one of the two, so that the command line needs no sections. */
        for (int i = 0; i < MASTER_OPTION_COUNT; i++)
                assert_int_equal(pool_option_find(master_options[i].name), -1);
}

/* A pool or a master: big enough for both, zeroed. */
union storage {
        struct pool_config pool;
        struct master_config master;
};

static void check_defaults(const struct option *options, int count)
{
        for (int i = 0; i < count; i++) {
                union storage storage = {0}, again = {0};
                _cleanup_(text_clear) struct text error = {0}, printed = {0};
                if (options[i].not_built || !options[i].default_text)
                        continue;
                assert_int_equal(option_value_parse(&options[i], &storage, options[i].default_text, &error), 0);
                assert_int_equal(option_value_print(&options[i], &storage, &printed), 0);
                assert_string_equal(text_string(&printed), options[i].default_text);
                assert_int_equal(option_value_parse(&options[i], &again, text_string(&printed), &error), 0);
                assert_true(option_value_equal(&options[i], &storage, &again));
                option_value_clear(&options[i], &storage);
                option_value_clear(&options[i], &again);
        }
}

static void test_every_default_comes_back(void **state)
{
        (void)state;
        check_defaults(pool_options, POOL_OPTION_COUNT);
        check_defaults(master_options, MASTER_OPTION_COUNT);
}

static void test_defaults_are_the_documented_ones(void **state)
{
        (void)state;
        static const struct {
                enum pool_option option;
                const char *value;
        } cases[] = {
                {POOL_BACKLOG, "511"},
                {POOL_SOCKET_MODE, "0660"},
                {POOL_IPV6_ONLY, "no"},
                {POOL_FREE_BIND, "no"},
                {POOL_TCP_NODELAY, "no"},
                {POOL_TCP_KEEPALIVE, "no"},
                {POOL_DEFER_ACCEPT, "no"},
                {POOL_HANDLER_TYPE, "inetd"},
                {POOL_START_METHOD, "exec"},
                {POOL_UMASK, "0022"},
                {POOL_NICE, ""},
                {POOL_DIRECTORY, "/"},
                {POOL_CLEAR_ENVIRONMENT, "yes"},
                {POOL_OOM_SCORE_ADJ, ""},
                {POOL_LIMIT_NOFILE, ""},
                {POOL_NO_NEW_PRIVILEGES, "yes"},
                {POOL_STDERR, "log"},
                {POOL_STDERR_RATE_LIMIT, "1000/s burst 5000"},
                {POOL_SCALING, "dynamic"},
                {POOL_MIN_SPARE_WORKERS, "1"},
                {POOL_MAX_SPARE_WORKERS, "8"},
                {POOL_START_WORKERS, "4"},
                {POOL_MAX_WORKERS, "64"},
                {POOL_SPARE_TIMEOUT, "10s"},
                {POOL_WHEN_FULL, "queue"},
                {POOL_MAX_CONNECTIONS_PER_SOURCE, "0"},
                {POOL_RATE_LIMIT, ""},
                {POOL_RATE_LIMIT_PER_SOURCE, ""},
                {POOL_SOURCE_PREFIX, "32/64"},
                {POOL_MAX_REQUESTS, "0"},
                {POOL_MAX_REQUESTS_JITTER, "10%"},
                {POOL_MAX_WORKER_AGE, "0"},
                {POOL_MAX_WORKER_MEMORY, "0"},
                {POOL_MAX_RECYCLING, "2"},
                {POOL_RELOAD_SURGE, "25%"},
                {POOL_START_TIMEOUT, "10s"},
                {POOL_REQUEST_TIMEOUT, "0"},
                {POOL_KILL_TIMEOUT, "5s"},
                {POOL_DETACH_AFTER, "0"},
                {POOL_MAX_DETACHED_WORKERS, "16"},
                {POOL_RESTART_DELAY_MIN, "100ms"},
                {POOL_RESTART_DELAY_MAX, "30s"},
                {POOL_USER, ""},
                {POOL_GROUP, ""},
        };
        _cleanup_(config_clear) struct config config = {0};

        load_good(&config, "f", "[a]\nlisten = 127.0.0.1:7\nhandler = cat\n");
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(text_clear) struct text text = {0};
                assert_int_equal(option_value_print(&pool_options[cases[i].option], config.pools[0], &text), 0);
                assert_string_equal(text_string(&text), cases[i].value);
        }
        assert_int_equal(config.master.log_level, LOG_INFO);
        assert_int_equal(config.master.log_target.kind, LOG_TARGET_AUTO);
        assert_int_equal(config.master.log_time, LOG_TIME_AUTO);
        assert_int_equal(config.master.shutdown_timeout_ms, 30000);
}

static void test_effects(void **state)
{
        (void)state;
        assert_int_equal(pool_options[POOL_LISTEN].effect, EFFECT_REBIND);
        assert_int_equal(pool_options[POOL_IPV6_ONLY].effect, EFFECT_REBIND);
        assert_int_equal(pool_options[POOL_BACKLOG].effect, EFFECT_LISTENER);
        assert_int_equal(pool_options[POOL_HANDLER].effect, EFFECT_ROLL);
        assert_int_equal(pool_options[POOL_LIMIT_CPU].effect, EFFECT_ROLL);
        /* What scales and what times applies in place; workers take with them who may connect, what is said, and what
         * they do with connections. */
        bool is_of_workers[POOL_OPTION_COUNT] = {
                [POOL_ALLOW] = true,
                [POOL_DENY] = true,
                [POOL_PROXY_PROTOCOL] = true,
                [POOL_FULL_RESPONSE] = true,
                [POOL_BANNER] = true,
                [POOL_CONNECTION_LOG] = true,
                [POOL_CONNECTION_LOG_FORMAT] = true,
                [POOL_LINGERING_CLOSE] = true,
                [POOL_IDLE_TIMEOUT] = true,
        };
        for (int i = POOL_SCALING; i < POOL_OPTION_COUNT; i++)
                assert_int_equal(pool_options[i].effect, is_of_workers[i] ? EFFECT_ROLL : EFFECT_IN_PLACE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows_are_consistent),
                cmocka_unit_test(test_every_default_comes_back),
                cmocka_unit_test(test_defaults_are_the_documented_ones),
                cmocka_unit_test(test_effects),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
