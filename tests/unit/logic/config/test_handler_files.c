/* The files of a handler: compared, written and read back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "logic/config/handler_files.h"
#include "logic/config/print.h"
#include "unit/config_helpers.h"

static const struct file_id some = {.device = 1, .inode = 2, .size = 3, .modified_ns = 4, .changed_ns = UINT64_MAX};

static void add(struct handler_files *files, const char *name, const struct file_id *id)
{
        assert_int_equal(handler_files_add(files, name, id), 0);
}

static void test_differ(void **state)
{
        const struct file_id others[] = {{9, 2, 3, 4, UINT64_MAX},
                                         {1, 9, 3, 4, UINT64_MAX},
                                         {1, 2, 9, 4, UINT64_MAX},
                                         {1, 2, 3, 9, UINT64_MAX},
                                         {1, 2, 3, 4, 9}};
        _cleanup_(handler_files_clear) struct handler_files before = {0}, none = {0};
        struct handler_file now = {.name = (char[]){"/b"}, .id = some};

        (void)state;
        add(&before, "/a", &some);
        assert_true(handler_files_differ(&before, &now)); /* it was not one of them */
        add(&before, "/b", &some);
        assert_false(handler_files_differ(&before, &now));
        for (size_t i = 0; i < ELEMENTS(others); i++) {
                now.id = others[i];
                assert_true(handler_files_differ(&before, &now));
                assert_false(handler_files_differ(&none, &now));
        }
}

static void test_a_name_counts_once(void **state)
{
        const struct file_id other = {.inode = 5};
        _cleanup_(handler_files_clear) struct handler_files files = {0};

        (void)state;
        add(&files, "/a", &some);
        add(&files, "/a", &other);
        assert_int_equal(files.count, 1);
        assert_int_equal(files.items[0].id.inode, 2);
}

static void test_words_that_are_none(void **state)
{
        static const char *const bad[] = {"/a",
                                          "/a 1 2 3 4",
                                          "/a 1 2 3 4 5 6",
                                          "/a 1 2 3 4 x",
                                          "/a 1 2 3 -4 5",
                                          "'/a",
                                          "/a 1 2 3 4 18446744073709551616"};
        _cleanup_(handler_files_clear) struct handler_files files = {0};

        (void)state;
        add(&files, "/kept", &some);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(handler_files_parse(bad[i], &files), -EINVAL);
        assert_string_equal(files.items[0].name, "/kept");
        assert_int_equal(handler_files_parse("", &files), 0);
        assert_int_equal(files.count, 0);
}

static void compare(const struct handler_files *files, const struct handler_files *back)
{
        assert_int_equal(files->count, back->count);
        for (size_t i = 0; i < files->count; i++) {
                assert_string_equal(files->items[i].name, back->items[i].name);
                assert_false(handler_files_differ(files, &back->items[i]));
        }
}

/* In the canonical form alone, whatever the names; a user who writes it gets told that there is no such key. */
static void test_configuration(void **state)
{
        _cleanup_(config_clear) struct config config = {0}, canonical = {0}, plain = {0};
        _cleanup_(text_clear) struct text text = {0}, without = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0}, refused = {0};
        static const char *const names[] = {
                "/usr/bin/perl",    "/my dir/x=y;z",
                "/it's \"that\"\\", "user = x",
                "/日本\t1",         "/a/path/that/is/long/enough/for/its/numbers/to/be/on/another/line/at/last"};
        static const char user[] = "[a]\nlisten = /x\nhandler = cat\nhandler_files = /a 1 2 3 4 5\n";

        (void)state;
        load_good(&config, "f",
                  "[a]\nlisten = /x\nhandler = cat\nhandler_type = listener\n[b]\nlisten = /y\nhandler = cat\n");
        for (size_t i = 0; i < ELEMENTS(names); i++)
                add(&config.pools[0]->handler_files, names[i], &some);
        assert_int_equal(config_print(&config, true, &text), 0);
        assert_int_equal(config_parse_canonical(&canonical, text.bytes, text.length, &problems), 0);
        assert_problems(&problems, "");
        compare(&config.pools[0]->handler_files, &canonical.pools[0]->handler_files);
        assert_int_equal(canonical.pools[1]->handler_files.count, 0);
        assert_int_equal(config_print(&config, false, &without), 0);
        assert_null(strstr(text_string(&without), "handler_files"));
        assert_int_equal(config_parse(&plain, "f", user, strlen(user), &refused), 0);
        assert_true(problem_list_refuses(&refused));
}

/* What loads it once, or executes it in the worker. */
static void test_who_keeps_it(void **state)
{
        _cleanup_(config_clear) struct config config = {0};
        static const bool expected[] = {false, true, true, true, false};

        (void)state;
        load_good(&config, "f",
                  "[exec]\nlisten = /1\nhandler = cat\n"
                  "[forkserver]\nlisten = /2\nhandler = cat\nstart_method = forkserver\n"
                  "[listener]\nlisten = /3\nhandler = cat\nhandler_type = listener\n"
                  "[module]\nlisten = /4\nhandler = /x.so\nhandler_type = module\n"
                  "[builtin]\nlisten = /5\nhandler = echo\nhandler_type = builtin\n");
        for (size_t i = 0; i < ELEMENTS(expected); i++)
                assert_int_equal(pool_config_keeps_handler(config.pools[i]), expected[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_differ),
                cmocka_unit_test(test_a_name_counts_once),
                cmocka_unit_test(test_words_that_are_none),
                cmocka_unit_test(test_configuration),
                cmocka_unit_test(test_who_keeps_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
