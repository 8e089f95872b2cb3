/* Numbers, members of documents and tables for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "ctl/format.h"

static void test_durations(void **state)
{
        static const struct {
                uint64_t ms;
                const char *text;
        } cases[] = {
                {0, "0ms"},          {999, "999ms"},        {1000, "1.0s"},       {9999, "9.9s"},
                {10000, "10s"},      {59999, "59s"},        {60000, "1m 00s"},    {3599999, "59m 59s"},
                {3600000, "1h 00m"}, {86399999, "23h 59m"}, {86400000, "1d 00h"}, {UINT64_MAX, "213503982334d 14h"}};
        char text[CTL_NUMBER_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_string_equal(ctl_duration(cases[i].ms, text), cases[i].text);
        assert_string_equal(ctl_microseconds(999, text), "999us");
        assert_string_equal(ctl_microseconds(1234, text), "1.2ms");
        assert_string_equal(ctl_microseconds(99999, text), "99.9ms");
        assert_string_equal(ctl_microseconds(1500000, text), "1.5s");
}

static void test_sizes_and_rates(void **state)
{
        char text[CTL_NUMBER_MAX];

        (void)state;
        assert_string_equal(ctl_size(0, text), "0K");
        assert_string_equal(ctl_size(UINT64_C(417) * 1024, text), "417K");
        assert_string_equal(ctl_size(1024 * 1024 * 13 / 10, text), "1.3M");
        assert_string_equal(ctl_size(UINT64_C(25) << 30, text), "25G");
        assert_true(text_starts_with(ctl_size(UINT64_MAX, text), "16384P"));
        assert_string_equal(ctl_rate(0, text), "0");
        assert_string_equal(ctl_rate(3.14, text), "3.1");
        assert_string_equal(ctl_rate(1234.5, text), "1234");
        assert_string_equal(ctl_count(UINT64_MAX, text), "18446744073709551615");
}

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
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_durations),
                                           cmocka_unit_test(test_sizes_and_rates),
                                           cmocka_unit_test(test_members),
                                           cmocka_unit_test(test_tables),
                                           cmocka_unit_test(test_tables_that_are_too_wide),
                                           cmocka_unit_test(test_states_have_colours)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
