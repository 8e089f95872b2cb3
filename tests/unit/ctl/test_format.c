/* Members of documents and tables for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "ctl/format.h"

/* Whatever a document holds, asking is safe. */
static void test_members(void **state)
{
        json_t *document = json_pack("{s:{s:i, s:s, s:n}, s:i}", "a", "b", 7, "c", "x", "d", "e", -1);

        (void)state;
        assert_int_equal(ctl_number(document, "a.b"), 7);
        assert_string_equal(ctl_string(document, "a.c"), "x");
        assert_int_equal(ctl_number(document, "a.c"), 0);
        assert_string_equal(ctl_string(document, "a.b"), "");
        assert_int_equal(ctl_number(document, "e"), 0);
        assert_null(ctl_at(document, "a.b.c"));
        assert_null(ctl_at(document, "z.b"));
        assert_null(ctl_at(NULL, "z"));
        assert_string_equal(ctl_string(NULL, "z"), "");
        json_decref(document);
}

static void test_tables(void **state)
{
        _cleanup_(ctl_table_clear) struct ctl_table table = {0};
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        ctl_table_column(&table, "NAME", false);
        ctl_table_column(&table, "N", true);
        ctl_table_column(&table, "", false);
        ctl_table_cell(&table, "a");
        ctl_table_number(&table, 1200);
        ctl_table_cell(&table, "");
        ctl_table_cell(&table, "zw\xc3\xb6lf");
        ctl_table_number(&table, 3);
        ctl_table_cell(&table, "closing");
        assert_int_equal(ctl_table_render(&table, 2, &text), 0);
        assert_string_equal(text_string(&text), "  NAME      N\n  a      1200\n  zw\xc3\xb6lf     3  closing\n");
}

/* On a terminal, columns from the right are left out until the rest fits, but never those that are needed. */
static void test_tables_that_are_too_wide(void **state)
{
        static const struct {
                size_t width;
                const char *rendered;
        } cases[] = {
                {0, "NAME  N  LONG\nx     1     2\n"},
                {13, "NAME  N  LONG\nx     1     2\n"},
                {12, "NAME  N\nx     1\n"},
                {7, "NAME  N\nx     1\n"},
                {6, "NAME\nx\n"},
                {1, "NAME\nx\n"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(ctl_table_clear) struct ctl_table table = {.style.width = cases[i].width, .needed = 1};
                _cleanup_(text_clear) struct text text = {0};
                ctl_table_column(&table, "NAME", false);
                ctl_table_column(&table, "N", true);
                ctl_table_column(&table, "LONG", true);
                ctl_table_cell(&table, "x");
                ctl_table_number(&table, 1);
                ctl_table_number(&table, 2);
                assert_int_equal(ctl_table_render(&table, 0, &text), 0);
                assert_string_equal(text_string(&text), cases[i].rendered);
        }
}

static void test_states_have_colours(void **state)
{
        (void)state;
        for (unsigned colours = 0; colours < 2; colours++) {
                _cleanup_(ctl_table_clear) struct ctl_table table = {.style.colours = colours};
                _cleanup_(text_clear) struct text text = {0};
                ctl_table_column(&table, "STATE", false);
                ctl_table_column(&table, "N", true);
                ctl_table_state(&table, "killed");
                ctl_table_number(&table, 1);
                ctl_table_state(&table, "idle");
                ctl_table_number(&table, 2);
                assert_int_equal(ctl_table_render(&table, 0, &text), 0);
                assert_string_equal(text_string(&text), colours ? "STATE   N\n\033[1;31mkilled\033[0m  1\nidle    2\n"
                                                                : "STATE   N\nkilled  1\nidle    2\n");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_members), cmocka_unit_test(test_tables),
                                           cmocka_unit_test(test_tables_that_are_too_wide),
                                           cmocka_unit_test(test_states_have_colours)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
