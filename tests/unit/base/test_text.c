/* Text that grows, and what counts as printable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"

static void test_starts_empty(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_string_equal(text_string(&text), "");
        assert_int_equal(text_append(&text, ""), 0);
        assert_string_equal(text_string(&text), "");
        text_truncate(&text);
        assert_int_equal(text.length, 0);
}

static void test_appends_and_grows(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        for (int i = 0; i < 1000; i++)
                assert_int_equal(text_appendf(&text, "%03d,", i), 0);
        assert_int_equal(text.length, 4000);
        assert_int_equal(strlen(text.bytes), 4000);
        assert_true(text_starts_with(text_string(&text), "000,001,"));
        assert_string_equal(text_string(&text) + 3992, "998,999,");
}

static void test_bytes_may_hold_nul(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append_bytes(&text, "a\0b", 3), 0);
        assert_int_equal(text.length, 3);
        assert_memory_equal(text.bytes, "a\0b\0", 4);
        assert_int_equal(text_append_bytes(&text, NULL, 0), 0);
        assert_int_equal(text.length, 3);
}

static void test_truncate_keeps_memory(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append(&text, "something"), 0);
        const char *bytes = text.bytes;
        text_truncate(&text);
        assert_string_equal(text_string(&text), "");
        assert_int_equal(text_append(&text, "else"), 0);
        assert_ptr_equal(text.bytes, bytes);
        assert_string_equal(text.bytes, "else");
}

static void test_take_hands_over(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append(&text, "mine"), 0);
        _cleanup_(freep) char *taken = text_take(&text);
        assert_string_equal(taken, "mine");
        assert_null(text.bytes);
        _cleanup_(freep) char *empty = text_take(&text);
        assert_string_equal(empty, "");
}

static void test_overflow_is_refused(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append(&text, "kept"), 0);
        assert_int_equal(text_append_bytes(&text, "x", SIZE_MAX - 2), -ENOMEM);
        assert_string_equal(text_string(&text), "kept");
        assert_int_equal(text.length, 4);
}

static void test_printable_length(void **state)
{
        (void)state;
        static const struct {
                const char *bytes;
                size_t printable;
        } cases[] = {
                {"", 0},
                {"plain text\t~", 12},
                {"Grüße, 日本, 😀", 21},
                {"a\nb", 1},
                {"a\x7f", 1},
                {"\x1b[31m", 0},
                {"ab\x01", 2},
                {"a\xff", 1},
                {"a\xc3", 1},
                {"a\xc3(", 1},
                {"a\xe2\x82", 1},
                {"a\x80", 1},
                {"a\xc0\xaf", 1},         /* '/' in two bytes */
                {"a\xe0\x80\xaf", 1},     /* … in three */
                {"a\xed\xa0\x80", 1},     /* a surrogate */
                {"a\xf4\x90\x80\x80", 1}, /* past U+10FFFF */
                {"a\xf8\x88\x80\x80\x80", 1},
                {"a\xc2\x85", 1}, /* U+0085, a control character */
                {"a\xc2\xa0", 3}, /* a no-break space */
                {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(text_printable_length(cases[i].bytes, strlen(cases[i].bytes)), cases[i].printable);
        assert_int_equal(text_printable_length("a\0b", 3), 1);
        assert_int_equal(text_printable_length("\xc3\xa4", 1), 0); /* never looks past the end */
}

static void check_excerpt(const char *bytes, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append(&text, "x"), 0);
        assert_int_equal(text_append_excerpt(&text, bytes, strlen(bytes)), 0);
        assert_string_equal(text_string(&text) + 1, expected);
}

static void test_excerpts(void **state)
{
        (void)state;
        char bytes[100], expected[100];

        check_excerpt("", "");
        snprintf(bytes, sizeof(bytes), "%080d", 1);
        check_excerpt(bytes, bytes);
        snprintf(bytes, sizeof(bytes), "%080d1", 1);
        snprintf(expected, sizeof(expected), "%080d…", 1);
        check_excerpt(bytes, expected);
        snprintf(bytes, sizeof(bytes), "%079dü", 1); /* a character is shown as a whole or not at all */
        snprintf(expected, sizeof(expected), "%079d…", 1);
        check_excerpt(bytes, expected);
        snprintf(bytes, sizeof(bytes), "%078düx", 1);
        snprintf(expected, sizeof(expected), "%078dü…", 1);
        check_excerpt(bytes, expected);
}

static void test_cut(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        text_cut(&text, 0);
        assert_string_equal(text_string(&text), "");
        assert_int_equal(text_append(&text, "0123456789"), 0);
        text_cut(&text, 4);
        assert_int_equal(text_append(&text, "x"), 0);
        assert_string_equal(text_string(&text), "0123x");
        assert_int_equal(text.length, 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_starts_empty),
                cmocka_unit_test(test_appends_and_grows),
                cmocka_unit_test(test_bytes_may_hold_nul),
                cmocka_unit_test(test_truncate_keeps_memory),
                cmocka_unit_test(test_take_hands_over),
                cmocka_unit_test(test_overflow_is_refused),
                cmocka_unit_test(test_printable_length),
                cmocka_unit_test(test_excerpts),
                cmocka_unit_test(test_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
