/* Problems: errors and warnings as text, with their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/text.h"

static void check_format(const struct problem *problem, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(problem_format(problem, &text), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_formats_the_place(void **state)
{
        (void)state;
        _cleanup_(problem_list_clear) struct problem_list list = {0};
        char file[] = "a.conf";

        problem_add(&list, file, 7, "%s is %d", "x", 3);
        file[0] = 'b'; /* the list has its own copy */
        problem_add(&list, "a.conf", 0, "cannot be read");
        problem_add(&list, NULL, 0, "100%% wrong");
        problem_add(&list, NULL, 5, "a line of nothing");
        assert_int_equal(list.count, 4);
        check_format(&list.items[0], "a.conf:7: x is 3");
        check_format(&list.items[1], "a.conf: cannot be read");
        check_format(&list.items[2], "100% wrong");
        check_format(&list.items[3], "a line of nothing");
}

static void test_warnings_do_not_refuse(void **state)
{
        (void)state;
        _cleanup_(problem_list_clear) struct problem_list list = {0};

        assert_false(problem_list_refuses(&list));
        problem_warn(&list, "a.conf", 1, "odd");
        assert_true(list.items[0].warning);
        assert_false(problem_list_refuses(&list));
        problem_add(&list, "a.conf", 2, "bad");
        assert_int_equal(list.error_count, 1);
        assert_true(problem_list_refuses(&list));
}

static void test_lost_problem_refuses(void **state)
{
        (void)state;
        struct problem_list list = {.out_of_memory = true};

        assert_true(problem_list_refuses(&list));
}

static void test_clear_makes_new(void **state)
{
        (void)state;
        struct problem_list list = {0};

        problem_add(&list, "a", 1, "x");
        problem_list_clear(&list);
        assert_int_equal(list.count, 0);
        assert_false(problem_list_refuses(&list));
        problem_list_clear(&list);
}

static void test_errors_of_another_list(void **state)
{
        (void)state;
        _cleanup_(problem_list_clear) struct problem_list list = {0}, other = {0};

        problem_add(&list, NULL, 0, "first");
        problem_warn(&other, "w", 1, "a warning");
        problem_add(&other, "f", 2, "100 %%");
        problem_list_add_errors(&list, &other);
        assert_int_equal(list.count, 2);
        assert_string_equal(list.items[1].text, "100 %");
        assert_string_equal(list.items[1].file, "f");
        assert_int_equal(list.items[1].line, 2);
        other.out_of_memory = true;
        problem_list_add_errors(&list, &other);
        assert_true(list.out_of_memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_formats_the_place),      cmocka_unit_test(test_warnings_do_not_refuse),
                cmocka_unit_test(test_lost_problem_refuses),   cmocka_unit_test(test_clear_makes_new),
                cmocka_unit_test(test_errors_of_another_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
