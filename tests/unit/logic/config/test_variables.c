/* Names of variables, and which of several with one name counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/config/variables.h"

static void test_names(void **state)
{
        (void)state;
        assert_int_equal(variables_name_length("A"), 1);
        assert_int_equal(variables_name_length("_a9=x"), 3);
        assert_int_equal(variables_name_length("9A=x"), 0);
        assert_int_equal(variables_name_length("=x"), 0);
        assert_int_equal(variables_name_length("A-B"), 1);
        assert_true(variables_same_name("A=1", "A=2"));
        assert_true(variables_same_name("A", "A=2"));
        assert_false(variables_same_name("A=1", "AB=1"));
}

static void test_withheld(void **state)
{
        (void)state;
        assert_true(variables_are_withheld("NOTIFY_SOCKET"));
        assert_true(variables_are_withheld("LISTEN_FDS=3"));
        assert_false(variables_are_withheld("NOTIFY_SOCKETS"));
        assert_false(variables_are_withheld("PATH=/bin"));
}

static void check_kept(const char *all, const char *expected)
{
        _cleanup_(words_clear) struct words words = {0}, kept = {0};
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(words_split(all, &words), 0);
        assert_int_equal(variables_keep_last(&words, &kept), 0);
        assert_int_equal(words_join(&text, &kept), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_the_last_of_each_name_counts(void **state)
{
        (void)state;
        check_kept("", "");
        check_kept("B=1 A=2", "B=1 A=2");
        check_kept("A=1 B=2 A=3", "B=2 A=3");
        check_kept("A=1 AB=2 A=3 AB=4 A=5", "AB=4 A=5");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_withheld),
                cmocka_unit_test(test_the_last_of_each_name_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
