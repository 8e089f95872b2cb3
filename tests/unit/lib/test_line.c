/* A line of text, built without libc. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/line.h"

static void test_appends(void **state)
{
        char text[64];
        struct line line = line_begin(text, sizeof(text));

        (void)state;
        assert_string_equal(text, "");
        line_add(&line, "a");
        line_add(&line, NULL);
        line_add_bytes(&line, "bcd", 2);
        line_add_number(&line, 0);
        line_add_number(&line, UINT64_MAX);
        line_add(&line, " ");
        line_add_hex(&line, 0xfe80);
        assert_string_equal(text, "abc018446744073709551615 fe80");
        assert_int_equal(line.length, strlen(text));
}

static void test_leaves_out_what_does_not_fit(void **state)
{
        char text[6] = "xxxxx";
        struct line line = line_begin(text, 5);

        (void)state;
        line_add(&line, "abc");
        line_add_number(&line, 1234);
        line_add(&line, "z");
        assert_string_equal(text, "abc1");
        assert_int_equal(line.length, 4);
        assert_int_equal(text[5], '\0');
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_appends),
                cmocka_unit_test(test_leaves_out_what_does_not_fit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
