#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/decimal.h"

static void test_next_reads_one_after_the_other(void **state)
{
        const char *line = "  12 345\n";
        uint64_t value;

        (void)state;
        assert_true(decimal_next(&line, &value));
        assert_int_equal(value, 12);
        assert_true(decimal_next(&line, &value));
        assert_int_equal(value, 345);
        assert_false(decimal_next(&line, &value));
        assert_int_equal(*line, '\n');
}

static void test_next_refuses_what_needs_more_bits(void **state)
{
        const char *largest = "18446744073709551615", *more = "18446744073709551616", *before = more;
        uint64_t value = 7;

        (void)state;
        assert_true(decimal_next(&largest, &value));
        assert_true(value == UINT64_MAX);
        value = 7;
        assert_false(decimal_next(&more, &value));
        assert_ptr_equal(more, before);
        assert_int_equal(value, 7);
}

static void test_parse_wants_the_whole_text(void **state)
{
        static const char *const bad[] = {"", " 1", "1 ", "-1", "+1", "0x1", "1a", "101", "99999999999999999999"};
        uint64_t value = 7;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_false(decimal_parse(bad[i], 100, &value));
        assert_int_equal(value, 7);
        assert_true(decimal_parse("0100", 100, &value));
        assert_int_equal(value, 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_next_reads_one_after_the_other),
                cmocka_unit_test(test_next_refuses_what_needs_more_bits),
                cmocka_unit_test(test_parse_wants_the_whole_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
