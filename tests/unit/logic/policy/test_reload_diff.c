/* The reload diff: which verb each pool gets, and which changes no reload can make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"
#include "logic/policy/reload_diff.h"
#include "unit/config_helpers.h"

#define BASICS "[a]\nlisten = 127.0.0.1:1 [::1]:2 /x\nhandler = cat\n"

/* The plan as text: `verb pool (options)`, each on a line of its own. */
static void check(const char *old_text, const char *new_text, const char *expected_plan, const char *expected_problems)
{
        _cleanup_(config_clear) struct config old_config = {0}, new_config = {0};
        _cleanup_(reload_plan_clear) struct reload_plan plan = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};

        load_good(&old_config, "old", old_text);
        load_good(&new_config, "new", new_text);
        assert_int_equal(reload_diff(&old_config, &new_config, &plan, &problems), 0);
        for (size_t i = 0; i < plan.count; i++) {
                const struct reload_step *step = &plan.steps[i];
                assert_int_equal(text_appendf(&text, "%s%s %s", i > 0 ? "\n" : "", reload_verb_name(step->verb),
                                              (step->new_pool ? step->new_pool : step->old_pool)->name),
                                 0);
                assert_int_equal(step->new_pool == NULL, step->verb == RELOAD_REMOVE);
                assert_int_equal(step->old_pool == NULL, step->verb == RELOAD_ADD);
                _cleanup_(text_clear) struct text changes = {0};
                assert_int_equal(reload_step_describe(step, &changes), 0);
                if (changes.length > 0)
                        assert_int_equal(text_appendf(&text, " (%s)", text_string(&changes)), 0);
        }
        assert_string_equal(text_string(&text), expected_plan);
        assert_problems(&problems, expected_problems);
}

static void with_directories(struct config *config, struct directory_id directory, struct directory_id root)
{
        load_good(config, "f", BASICS);
        config->pools[0]->directory_id = directory;
        config->pools[0]->root_directory_id = root;
}

static void check_directories(struct directory_id old_id, struct directory_id new_id, enum reload_verb expected)
{
        const struct directory_id same = {.device = 1, .inode = 1};

        for (int is_root = 0; is_root < 2; is_root++) {
                _cleanup_(config_clear) struct config old_config = {0}, new_config = {0};
                _cleanup_(reload_plan_clear) struct reload_plan plan = {0};
                _cleanup_(problem_list_clear) struct problem_list problems = {0};
                with_directories(&old_config, is_root ? same : old_id, is_root ? old_id : same);
                with_directories(&new_config, is_root ? same : new_id, is_root ? new_id : same);
                assert_int_equal(reload_diff(&old_config, &new_config, &plan, &problems), 0);
                assert_int_equal(plan.steps[0].verb, expected);
                assert_int_equal(plan.steps[0].changed[is_root ? POOL_ROOT_DIRECTORY : POOL_DIRECTORY],
                                 expected == RELOAD_ROLL);
                assert_false(plan.steps[0].changed[is_root ? POOL_DIRECTORY : POOL_ROOT_DIRECTORY]);
        }
}

/* The same path leads elsewhere. */
static void test_directories(void **state)
{
        const struct directory_id a = {.device = 1, .inode = 2}, b = {.device = 1, .inode = 3},
                                  c = {.device = 2, .inode = 2}, unknown = {0};

        (void)state;
        check_directories(a, a, RELOAD_KEEP);
        check_directories(a, b, RELOAD_ROLL);
        check_directories(a, c, RELOAD_ROLL);
        check_directories(unknown, a, RELOAD_KEEP);
        check_directories(a, unknown, RELOAD_KEEP);
}

/* A pool whose handler was made of these files: names of one letter, each with a digit that stands for what it was. */
static void with_files(struct config *config, const char *keys, const char *files)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_appendf(&text, BASICS "%s", keys), 0);
        load_good(config, "f", text_string(&text));
        for (; *files != '\0'; files += 2) {
                const struct file_id id = {.device = 1, .inode = (uint64_t)files[1]};
                assert_int_equal(
                        handler_files_add(&config->pools[0]->handler_files, (char[]){'/', files[0], '\0'}, &id), 0);
        }
}

static void check_files(const char *old_files, const char *new_keys, const char *new_files, const char *expected)
{
        _cleanup_(config_clear) struct config old_config = {0}, new_config = {0};
        _cleanup_(reload_plan_clear) struct reload_plan plan = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};

        with_files(&old_config, "", old_files);
        with_files(&new_config, new_keys, new_files);
        assert_int_equal(reload_diff(&old_config, &new_config, &plan, &problems), 0);
        assert_int_equal(text_appendf(&text, "%s ", reload_verb_name(plan.steps[0].verb)), 0);
        assert_int_equal(reload_step_describe(&plan.steps[0], &text), 0);
        assert_string_equal(text_string(&text), expected);
}

/* The same handler, made of other files. */
static void test_files(void **state)
{
        (void)state;
        check_files("a1", "", "a1", "keep ");
        check_files("a1", "", "a2", "roll /a");
        check_files("a1b1c1", "", "a2b1c2", "roll /a, /c");
        check_files("a1", "", "a1b1", "roll /b"); /* it was not there, or another one was found */
        check_files("a1b1", "", "a1", "keep ");   /* it cannot be looked at, which is no reason */
        check_files("a1", "", "", "keep ");
        check_files("", "", "a1", "keep "); /* nobody knows */
        check_files("a1", "max_requests = 5\n", "a2", "roll max_requests, /a");
        check_files("a1", "umask = 077\n", "a2", "roll umask, /a");
        check_files("a1", "umask = 077\n", "a1", "roll umask");
        check_files("a1", "handler_type = listener\n", "a2", "roll handler_type");
}

static void test_nothing_changed(void **state)
{
        (void)state;
        check("", "", "", "");
        check(BASICS, BASICS, "keep a", "");
        /* Written otherwise, meant the same. */
        check(BASICS,
              "# comment\n[a]\nhandler = 'cat'\nlisten = localhost:1 [::1]:2\n  /x\nmax_workers = 64\n"
              "spare_timeout = 10000ms\n",
              "keep a", "");
        check(BASICS, "[preforkd]\nlog_level = debug\n" BASICS, "keep a", "");
}

static void check_choice(const struct pool_choice *old_choice, const struct pool_choice *new_choice,
                         const char *changed)
{
        _cleanup_(config_clear) struct config old_config = {0}, new_config = {0};
        _cleanup_(reload_plan_clear) struct reload_plan plan = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text changes = {0};

        load_good(&old_config, "f", BASICS "start_method = auto\ncopy = auto\n");
        load_good(&new_config, "f", BASICS "start_method = auto\ncopy = auto\n");
        old_config.pools[0]->choice = *old_choice;
        new_config.pools[0]->choice = *new_choice;
        assert_int_equal(reload_diff(&old_config, &new_config, &plan, &problems), 0);
        assert_int_equal(plan.steps[0].verb, changed[0] != '\0' ? RELOAD_ROLL : RELOAD_KEEP);
        assert_int_equal(reload_step_describe(&plan.steps[0], &changes), 0);
        assert_string_equal(text_string(&changes), changed);
}

/* auto means something else than it did. */
static void test_choices(void **state)
{
        const struct pool_choice exec = {.start_method = START_EXEC}, fork = {.start_method = START_SNAPSHOT},
                                 rollback = {.start_method = START_SNAPSHOT, .copy = COPY_ROLLBACK};

        (void)state;
        check_choice(&rollback, &rollback, "");
        check_choice(&rollback, &fork, "copy");
        check_choice(&fork, &rollback, "copy");
        check_choice(&exec, &fork, "start_method");
        check_choice(&rollback, &exec, "start_method, copy");
        check_choice(&exec, &exec, "");
}

static void test_pools_come_and_go(void **state)
{
        (void)state;
        check("[a]\nlisten = /a\nhandler = cat\n[b]\nlisten = /b\nhandler = cat\n",
              "[c]\nlisten = /c\nhandler = cat\n[b]\nlisten = /b\nhandler = cat\n", "add c\nkeep b\nremove a", "");
}

static void test_verbs_by_strength(void **state)
{
        (void)state;
        check(BASICS, BASICS "max_requests = 5\n", "limits a (max_requests)", "");
        check(BASICS, BASICS "backlog = 5\ntcp_nodelay = yes\n", "limits a (backlog, tcp_nodelay)", "");
        check(BASICS, BASICS "umask = 077\n", "roll a (umask)", "");
        check(BASICS, BASICS "max_requests = 5\nenvironment = A=1\nbacklog = 5\n",
              "roll a (backlog, environment, max_requests)", "");
        check(BASICS, "[a]\nlisten = 127.0.0.1:1 [::1]:2 /y\nhandler = cat -n\n", "rebind a (listen, handler)", "");
        check(BASICS, "[a]\nlisten = 127.0.0.1:1\nhandler = cat\n", "rebind a (listen)", "");
        /* The same sockets in another order: nothing to open or close. */
        check(BASICS, "[a]\nlisten = /x 127.0.0.1:1 [::1]:2\nhandler = cat\n", "roll a (listen)", "");
}

static void test_fitted_values_count_as_changes(void **state)
{
        (void)state;
        check(BASICS, BASICS "max_workers = 4\n", "limits a (max_spare_workers, start_workers, max_workers)", "");
}

/* Every option is compared: another value than the default shows, under its own name. */
static void test_every_option_is_compared(void **state)
{
        (void)state;
        static const struct {
                enum pool_option option;
                const char *value;
        } others[] = {
                /* clang-format off */
                {POOL_LISTEN, "/y"}, {POOL_BACKLOG, "7"}, {POOL_SOCKET_USER, "7"}, {POOL_SOCKET_GROUP, "7"},
                {POOL_SOCKET_MODE, "0600"}, {POOL_IPV6_ONLY, "yes"}, {POOL_FREE_BIND, "yes"}, {POOL_BIND_TO_DEVICE, "lo"}, {POOL_TCP_NODELAY, "yes"},
                {POOL_TCP_KEEPALIVE, "yes"}, {POOL_DEFER_ACCEPT, "yes"}, {POOL_HANDLER_TYPE, "listener"},
                {POOL_HANDLER, "cat -n"}, {POOL_ARGV0, "dog"}, {POOL_START_METHOD, "forkserver"}, {POOL_USER, "7"},
                {POOL_GROUP, "7"}, {POOL_SUPPLEMENTARY_GROUPS, "7 8"}, {POOL_UMASK, "7"}, {POOL_NICE, "7"},
                {POOL_DIRECTORY, "/7"}, {POOL_ROOT_DIRECTORY, "/7"}, {POOL_ENVIRONMENT, "A=7"},
                {POOL_ENVIRONMENT_FILE, "/7"}, {POOL_PASS_ENVIRONMENT, "A7"},
                {POOL_CLEAR_ENVIRONMENT, "no"}, {POOL_OOM_SCORE_ADJ, "0"}, {POOL_LIMIT_NOFILE, "7"},
                {POOL_LIMIT_AS, "7"}, {POOL_LIMIT_CORE, "7"}, {POOL_LIMIT_CPU, "7"}, {POOL_LIMIT_NPROC, "7:8"},
                {POOL_LIMIT_DATA, "7"}, {POOL_LIMIT_STACK, "7"}, {POOL_LIMIT_FSIZE, "7"},
                {POOL_NO_NEW_PRIVILEGES, "no"}, {POOL_STDERR, "null"}, {POOL_STDERR_RATE_LIMIT, "7/s"},
                {POOL_THREADS_PER_WORKER, "7"}, {POOL_SCALING, "static"},
                {POOL_MIN_SPARE_WORKERS, "3"}, {POOL_MAX_SPARE_WORKERS, "7"}, {POOL_START_WORKERS, "7"},
                {POOL_MAX_WORKERS, "77"}, {POOL_SPARE_TIMEOUT, "7s"}, {POOL_GROWTH_PRESSURE_LIMIT, "7%"}, {POOL_WHEN_FULL, "refuse"},
                {POOL_FULL_RESPONSE, "7"}, {POOL_MAX_CONNECTIONS_PER_SOURCE, "7"}, {POOL_RATE_LIMIT, "7/s"}, {POOL_RATE_LIMIT_PER_SOURCE, "7/s"}, {POOL_SOURCE_PREFIX, "7/7"}, {POOL_QUEUE_TIMEOUT, "7s"}, {POOL_ALLOW, "192.0.2.7"}, {POOL_DENY, "192.0.2.7"}, {POOL_PROXY_PROTOCOL, "192.0.2.7"}, {POOL_BANNER, "7"}, {POOL_CONNECTION_LOG, "all"}, {POOL_CONNECTION_LOG_FORMAT, "7"}, {POOL_LINGERING_CLOSE, "7s"}, {POOL_IDLE_TIMEOUT, "7s"}, {POOL_MAX_REQUESTS, "7"}, {POOL_MAX_REQUESTS_JITTER, "7%"},
                {POOL_MAX_WORKER_AGE, "7s"}, {POOL_MAX_WORKER_MEMORY, "7"}, {POOL_MAX_RECYCLING, "7"},
                {POOL_RELOAD_SURGE, "7%"}, {POOL_START_TIMEOUT, "7s"}, {POOL_REQUEST_TIMEOUT, "7s"},
                {POOL_REQUEST_SLOWLOG_TIMEOUT, "7s"},
                {POOL_KILL_TIMEOUT, "7s"}, {POOL_DETACH_AFTER, "7s"}, {POOL_MAX_DETACHED_WORKERS, "7"},
                {POOL_RESTART_DELAY_MIN, "7ms"}, {POOL_RESTART_DELAY_MAX, "7s"},
                /* clang-format on */
        };
        size_t covered = 0;

        for (int option = 0; option < POOL_OPTION_COUNT; option++) {
                _cleanup_(config_clear) struct config plain = {0}, changed = {0};
                _cleanup_(problem_list_clear) struct problem_list problems = {0};
                const char *value = NULL;
                for (size_t i = 0; i < ELEMENTS(others); i++)
                        if ((int)others[i].option == option)
                                value = others[i].value;
                if (!value) { /* not built, of one value only, or of no effect here */
                        assert_true(pool_options[option].not_built || option == POOL_COPY ||
                                    option == POOL_ROLLBACK_CHECK || option == POOL_FAST_EXIT ||
                                    option == POOL_SNAPSHOT_AFTER || option == POOL_LISTEN_FD ||
                                    option == POOL_ACCOUNTING || option == POOL_RETIRE_SIGNAL);
                        continue;
                }
                covered++;
                load_good(&plain, "f", BASICS);
                assert_int_equal(config_parse_option(&changed, pool_options[option].name, value, &problems), 0);
                assert_problems(&problems, "");
                assert_false(pool_option_equal(plain.pools[0], changed.pools[0], (enum pool_option)option));
                assert_true(pool_option_equal(plain.pools[0], plain.pools[0], (enum pool_option)option));
        }
        assert_int_equal(covered, ELEMENTS(others));
}

static void test_addresses_move(void **state)
{
        (void)state;
        check("[a]\nlisten = /a /m\nhandler = cat\n[b]\nlisten = /b\nhandler = cat\n",
              "[a]\nlisten = /a\nhandler = cat\n[b]\nlisten = /b /m\nhandler = cat\n",
              "rebind a (listen)\nrebind b (listen)", "");
        /* A pool that was given another name is another pool. */
        check("[a]\nlisten = /a\nhandler = cat\n", "\n[b]\nlisten = /a\nhandler = cat\n", "add b\nremove a", "");
        /* Nothing that holds from bind(2) on can change on the way. */
        check("[a]\nlisten = [::1]:2\nhandler = cat\n", "[b]\nlisten = [::1]:2\nhandler = cat\nipv6_only = yes\n",
              "add b\nremove a",
              "new:4: ipv6_only: cannot change in a reload while [::1]:2 stays open; restart, or remove "
              "the address in one reload and add it in the next");
}

static void test_ipv6_only_holds_from_the_start(void **state)
{
        (void)state;
        check(BASICS, BASICS "ipv6_only = yes\n", "rebind a (ipv6_only)",
              "new:4: ipv6_only: cannot change in a reload while [::1]:2 stays open; restart, or remove the address in "
              "one reload and add it in the next");
        /* Removed from the file: the place is the section. */
        check(BASICS "ipv6_only = yes\n", BASICS, "rebind a (ipv6_only)",
              "new:1: ipv6_only: cannot change in a reload while [::1]:2 stays open; restart, or remove the address in "
              "one reload and add it in the next");
        check(BASICS, "[a]\nlisten = 127.0.0.1:1 [::1]:3 /x\nhandler = cat\nipv6_only = yes\n",
              "rebind a (listen, ipv6_only)", "");
}

static void test_the_device_holds_from_the_start(void **state)
{
        (void)state;
        check("[a]\nlisten = 127.0.0.1:1 /x\nhandler = cat\n",
              "[a]\nlisten = 127.0.0.1:1 /x\nhandler = cat\nbind_to_device = lo\n", "rebind a (bind_to_device)",
              "new:4: bind_to_device: cannot change in a reload while 127.0.0.1:1 stays open; restart, or remove the "
              "address in one reload and add it in the next");
        check("[a]\nlisten = 127.0.0.1:1 /x\nhandler = cat\nbind_to_device = lo\n",
              "[a]\nlisten = 127.0.0.1:2 /x\nhandler = cat\nbind_to_device = eth0\n",
              "rebind a (listen, bind_to_device)", "");
}

static void test_ipv6_only_without_ipv6(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config old_config = {0}, new_config = {0};
        _cleanup_(reload_plan_clear) struct reload_plan plan = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        load_good(&old_config, "f", "[a]\nlisten = /x\nhandler = cat\n");
        load_good(&new_config, "f", "[a]\nlisten = /x\nhandler = cat\n");
        new_config.pools[0]->ipv6_only = true;
        assert_int_equal(reload_diff(&old_config, &new_config, &plan, &problems), 0);
        assert_int_equal(plan.steps[0].verb, RELOAD_LIMITS);
        assert_problems(&problems, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_changed),
                cmocka_unit_test(test_directories),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_choices),
                cmocka_unit_test(test_pools_come_and_go),
                cmocka_unit_test(test_verbs_by_strength),
                cmocka_unit_test(test_fitted_values_count_as_changes),
                cmocka_unit_test(test_every_option_is_compared),
                cmocka_unit_test(test_addresses_move),
                cmocka_unit_test(test_ipv6_only_holds_from_the_start),
                cmocka_unit_test(test_the_device_holds_from_the_start),
                cmocka_unit_test(test_ipv6_only_without_ipv6),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
