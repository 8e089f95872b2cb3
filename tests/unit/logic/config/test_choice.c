/* What auto stands for: the most that nothing prevents, and why not more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "logic/config/choice.h"
#include "logic/config/config_options.h"
#include "logic/config/print.h"
#include "unit/config_helpers.h"

#define BOTH "start_method = auto\ncopy = auto\n"
#define POOL "[a]\nlisten = /x\nhandler = cat\n"

static const struct choice_facts fine;

static void load_chosen(struct config *config, const char *text, const struct choice_facts *facts)
{
        load_good(config, "f", text);
        assert_int_equal(choice_make(config->pools[0], facts), 0);
}

static void assert_described(const struct pool_config *pool, enum pool_option option, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(choice_describe(pool, option, choice_why(pool, option), &text), 0);
        assert_string_equal(text_string(&text), expected);
}

static void check(const char *text, const struct choice_facts *facts, const char *start_method, const char *copy)
{
        _cleanup_(config_clear) struct config config = {0};

        load_chosen(&config, text, facts);
        assert_described(config.pools[0], POOL_START_METHOD, start_method);
        assert_described(config.pools[0], POOL_COPY, copy);
}

static void test_the_most_that_nothing_prevents(void **state)
{
        (void)state;
        check(POOL BOTH, &fine, "snapshot", "rollback");
        check(POOL BOTH, &(struct choice_facts){.no_dispatch = "D"}, "forkserver; snapshot cannot be used: D",
              "rollback");
        check(POOL BOTH, &(struct choice_facts){.no_load = "L", .no_dispatch = "D"},
              "exec; forkserver cannot be used: L", "fork");
        check(POOL BOTH, &(struct choice_facts){.no_rollback = "R"}, "snapshot", "fork; rollback cannot be used: R");
}

/* Memory is not shared with a process of more rights, or one that may get some. */
static void test_copies_of_more_rights(void **state)
{
        _cleanup_(config_clear) struct config config = {0};

        (void)state;
        check(POOL BOTH "no_new_privileges = no\n", &fine, "snapshot",
              "fork; rollback cannot be used: it needs no_new_privileges = yes");
        load_good(&config, "f", POOL BOTH);
        config.pools[0]->user = (struct account){.name = strdup("root"), .resolved = true};
        assert_int_equal(choice_make(config.pools[0], &fine), 0);
        assert_described(config.pools[0], POOL_START_METHOD, "snapshot");
        assert_described(config.pools[0], POOL_COPY, "fork; rollback cannot be used: it is not for user = root");
}

/* What is explicit stays, whatever the facts. */
static void test_explicit_values(void **state)
{
        const struct choice_facts none = {.no_load = "L", .no_dispatch = "D", .no_rollback = "R"};

        (void)state;
        check(POOL "start_method = snapshot\n", &none, "snapshot", "fork");
        check(POOL "start_method = forkserver\ncopy = rollback\n", &none, "forkserver", "rollback");
        check(POOL "start_method = forkserver\ncopy = auto\n", &fine, "forkserver", "rollback");
        check(POOL "start_method = exec\n", &fine, "exec", "fork");
}

static void test_addresses_and_types(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_int_equal(text_append(&text, "[a]\nhandler = cat\n" BOTH "listen ="), 0);
        for (int i = 0; i <= POOL_COPIED_LISTEN_MAX; i++)
                assert_int_equal(text_appendf(&text, " @%d", i), 0);
        assert_int_equal(text_append(&text, "\n"), 0);
        check(text_string(&text), &fine,
              "exec; forkserver cannot be used: a handler is copied for at most 128 addresses", "fork");
        check(POOL "handler_type = listener\nstart_method = auto\n", &(struct choice_facts){.no_dispatch = "D"},
              "snapshot", "fork");
        check(POOL "handler_type = listener\nstart_method = auto\n", &(struct choice_facts){.no_load = "L"},
              "exec; snapshot cannot be used: L", "fork");
        check(POOL "handler_type = listener\naccounting = api\nstart_method = auto\n", &fine,
              "exec; snapshot cannot be used: it needs accounting = preload", "fork");
}

/* Before there is a choice, nothing is loaded once. */
static void test_without_a_choice(void **state)
{
        _cleanup_(config_clear) struct config config = {0};

        (void)state;
        load_good(&config, "f", POOL BOTH);
        assert_int_equal(pool_config_start_method(config.pools[0]), START_EXEC);
        assert_int_equal(pool_config_copy(config.pools[0]), COPY_FORK);
        assert_false(pool_config_is_copied(config.pools[0]));
        assert_true(pool_config_uses(config.pools[0], POOL_COPY));
}

static void check_max_requests(const char *text, const struct choice_facts *facts, uint64_t expected)
{
        _cleanup_(config_clear) struct config config = {0};

        load_chosen(&config, text, facts);
        assert_int_equal(config.pools[0]->max_requests, expected);
}

static void test_a_worker_that_shares_its_memory_is_recycled(void **state)
{
        (void)state;
        check_max_requests(POOL BOTH, &fine, 1000);
        check_max_requests(POOL BOTH "max_requests = 7\n", &fine, 7);
        check_max_requests(POOL BOTH, &(struct choice_facts){.no_rollback = "R"}, 0);
        check_max_requests(POOL BOTH, &(struct choice_facts){.no_load = "L"}, 0);
}

/* The child hands it to the master. A clause quotes a file, which may have anything in it. */
static void check_comes_back(const char *why, const char *expected)
{
        _cleanup_(config_clear) struct config config = {0}, again = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};

        load_chosen(&config, POOL BOTH, &(struct choice_facts){.no_dispatch = why});
        assert_int_equal(config_print(&config, true, &text), 0);
        assert_int_equal(config_parse_canonical(&again, text.bytes, text.length, &problems), 0);
        assert_int_equal(config_finish(&again, &own_user, &problems), 0);
        assert_problems(&problems, "");
        assert_int_equal(pool_config_start_method(again.pools[0]), START_FORKSERVER);
        assert_int_equal(pool_config_copy(again.pools[0]), COPY_ROLLBACK);
        assert_int_equal(again.pools[0]->start_method, START_AUTO);
        assert_string_equal(choice_why(again.pools[0], POOL_START_METHOD), expected);
        assert_null(choice_why(again.pools[0], POOL_COPY));
        assert_int_equal(again.pools[0]->max_requests, 1000);
}

static void test_it_comes_back(void **state)
{
        (void)state;
        check_comes_back("it has threads", "it has threads");
        check_comes_back("its interpreter \"/a b\": ; # = 'x' \\", "its interpreter \"/a b\": ; # = 'x' \\");
        check_comes_back("\x01 a\nb \xff", "? a?b ?");
        check_comes_back(
                "it has a name that is so long that no line of a file that people read has room for it, and it goes "
                "on and on",
                "it has a name that is so long that no line of a file that people read has room for it, and it goes "
                "on and on");
}

static void test_words_of_another_version(void **state)
{
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        static const char text[] = "#line 1 \"f\"\n[a]\nlisten = /x\nhandler = cat\nstart_method = auto\n"
                                   "chosen_start_method = thread\nchosen_copy = auto\n";

        (void)state;
        assert_int_equal(config_parse_canonical(&config, text, strlen(text), &problems), 0);
        assert_int_equal(config_finish(&config, &own_user, &problems), 0);
        assert_int_equal(pool_config_start_method(config.pools[0]), START_EXEC);
        assert_int_equal(config.pools[0]->choice.copy, COPY_FORK);
}

/* A user cannot set it. */
static void test_it_is_no_option(void **state)
{
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        static const char text[] = POOL "chosen_copy = rollback\n";

        (void)state;
        assert_int_equal(config_parse(&config, "f", text, strlen(text), &problems), 0);
        assert_problems(&problems, "f:4: unknown key 'chosen_copy'");
}

/* -T: comments, so that the text is a file. */
static void test_it_is_shown(void **state)
{
        _cleanup_(config_clear) struct config config = {0}, again = {0};
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        load_chosen(&config, POOL BOTH, &(struct choice_facts){.no_dispatch = "D"});
        assert_int_equal(config_print(&config, false, &text), 0);
        assert_non_null(strstr(text_string(&text),
                               "\n; start_method = auto means forkserver; snapshot cannot be used: D\n"
                               "start_method = auto\n"
                               "; copy = auto means rollback\ncopy = auto\n"));
        load_good(&again, "-T", text_string(&text));
        assert_int_equal(again.pools[0]->start_method, START_AUTO);
        assert_int_equal(again.pools[0]->copy, COPY_AUTO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_most_that_nothing_prevents),
                cmocka_unit_test(test_copies_of_more_rights),
                cmocka_unit_test(test_explicit_values),
                cmocka_unit_test(test_addresses_and_types),
                cmocka_unit_test(test_without_a_choice),
                cmocka_unit_test(test_a_worker_that_shares_its_memory_is_recycled),
                cmocka_unit_test(test_it_comes_back),
                cmocka_unit_test(test_words_of_another_version),
                cmocka_unit_test(test_it_is_no_option),
                cmocka_unit_test(test_it_is_shown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
