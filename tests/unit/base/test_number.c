/* Numbers with units: strict parsing, and printing that parses back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

#define UNTOUCHED 4242

struct number_case {
        const char *string;
        int result;
        uint64_t value;
};

static void check(int (*parse)(const char *, uint64_t *), const struct number_case *cases, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                uint64_t value = UNTOUCHED;
                int r = parse(cases[i].string, &value);
                if (r != cases[i].result || value != (r == 0 ? cases[i].value : UNTOUCHED))
                        fail_msg("\"%s\": %d, %llu", cases[i].string, r, (unsigned long long)value);
        }
}

static void test_plain(void **state)
{
        (void)state;
        static const struct number_case cases[] = {
                {"0", 0, 0},
                {"007", 0, 7},
                {"18446744073709551615", 0, UINT64_MAX},
                {"18446744073709551616", -ERANGE},
                {"99999999999999999999999", -ERANGE},
                {"99999999999999999999999x", -EINVAL},
                {"", -EINVAL},
                {"-1", -EINVAL},
                {"+1", -EINVAL},
                {" 1", -EINVAL},
                {"1 ", -EINVAL},
                {"0x10", -EINVAL},
                {"1e3", -EINVAL},
                {"1.5", -EINVAL},
                {"abc", -EINVAL},
                {"\xd9\xa1", -EINVAL}, /* an Arabic digit */
        };

        check(number_parse, cases, ELEMENTS(cases));
}

static void test_octal(void **state)
{
        (void)state;
        mode_t mode = UNTOUCHED;

        assert_int_equal(number_parse_octal("8", &mode), -EINVAL);
        assert_int_equal(number_parse_octal("0o660", &mode), -EINVAL);
        assert_int_equal(number_parse_octal("", &mode), -EINVAL);
        assert_int_equal(number_parse_octal("10000", &mode), -ERANGE);
        assert_int_equal(number_parse_octal("7777777777777777777777777", &mode), -ERANGE);
        assert_int_equal(mode, UNTOUCHED);
        assert_int_equal(number_parse_octal("660", &mode), 0);
        assert_int_equal(mode, 0660);
        assert_int_equal(number_parse_octal("07777", &mode), 0);
        assert_int_equal(mode, 07777);
}

static void test_durations(void **state)
{
        (void)state;
        static const struct number_case cases[] = {
                {"0", 0, 0},
                {"30", 0, 30000},
                {"500ms", 0, 500},
                {"30s", 0, 30000},
                {"5m", 0, 300000},
                {"1h", 0, 3600000},
                {"1h30m", 0, 5400000},
                {"1m500ms", 0, 60500},
                {"0s", 0, 0},
                {"1h30", -EINVAL},
                {"0h30", -EINVAL},
                {"s", -EINVAL},
                {"", -EINVAL},
                {"5 m", -EINVAL},
                {"5min", -EINVAL},
                {"5M", -EINVAL},
                {"-5s", -EINVAL},
                {"1.5s", -EINVAL},
                {"5s ", -EINVAL},
                {"5sm", -EINVAL},
                {"5d", -EINVAL},
                {"18446744073709551615ms", 0, UINT64_MAX},
                {"18446744073709551615", -ERANGE},
                {"18446744073709551615h", -ERANGE},
                {"18446744073709551615ms1ms", -ERANGE},
                {"99999999999999999999s", -ERANGE},
                {"99999999999999999999x", -EINVAL},
        };

        check(number_parse_duration_ms, cases, ELEMENTS(cases));
}

static void test_sizes(void **state)
{
        (void)state;
        static const struct number_case cases[] = {
                {"0", 0, 0},
                {"100", 0, 100},
                {"1K", 0, 1024},
                {"64M", 0, 64 << 20},
                {"2G", 0, UINT64_C(2) << 30},
                {"3T", 0, UINT64_C(3) << 40},
                {"1k", -EINVAL},
                {"1KB", -EINVAL},
                {"1KK", -EINVAL},
                {"1K1", -EINVAL},
                {"K", -EINVAL},
                {"", -EINVAL},
                {"1 M", -EINVAL},
                {"16777216T", -ERANGE},
                {"99999999999999999999", -ERANGE},
                {"99999999999999999999M", -ERANGE},
        };

        check(number_parse_size_bytes, cases, ELEMENTS(cases));
}

static void test_percents(void **state)
{
        (void)state;
        static const struct number_case cases[] = {
                {"0%", 0, 0},      {"25%", 0, 25}, {"400%", 0, 400},
                {"25", -EINVAL},   {"%", -EINVAL}, {"25 %", -EINVAL},
                {"25%%", -EINVAL}, {"", -EINVAL},  {"99999999999999999999%", -ERANGE},
        };

        check(number_parse_percent, cases, ELEMENTS(cases));
}

static void check_format(int (*format)(struct text *, uint64_t), uint64_t value, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(format(&text, value), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_formats_shortest_exact_form(void **state)
{
        (void)state;
        check_format(number_format_duration_ms, 0, "0");
        check_format(number_format_duration_ms, 1, "1ms");
        check_format(number_format_duration_ms, 1000, "1s");
        check_format(number_format_duration_ms, 1500, "1500ms");
        check_format(number_format_duration_ms, 90000, "90s");
        check_format(number_format_duration_ms, 7200000, "2h");
        check_format(number_format_size_bytes, 0, "0");
        check_format(number_format_size_bytes, 1023, "1023");
        check_format(number_format_size_bytes, 1536, "1536");
        check_format(number_format_size_bytes, 1 << 20, "1M");
        check_format(number_format_size_bytes, UINT64_C(1) << 40, "1T");
}

static void test_formats_read_back(void **state)
{
        (void)state;
        uint64_t value = 1;

        for (int i = 0; i < 2000; i++) {
                _cleanup_(text_clear) struct text duration = {0}, size = {0};
                uint64_t back;
                value = value * 6364136223846793005U + 1442695040888963407U;
                uint64_t sample = value >> (i % 64);
                assert_int_equal(number_format_duration_ms(&duration, sample), 0);
                assert_int_equal(number_parse_duration_ms(text_string(&duration), &back), 0);
                assert_int_equal(back, sample);
                assert_int_equal(number_format_size_bytes(&size, sample), 0);
                assert_int_equal(number_parse_size_bytes(text_string(&size), &back), 0);
                assert_int_equal(back, sample);
        }
}

static void test_next_of_a_line(void **state)
{
        (void)state;
        const char *line = "12  18446744073709551615\t3\n", *const start = line;
        uint64_t value = UNTOUCHED;

        assert_int_equal(number_next(&line, &value), 0);
        assert_int_equal(value, 12);
        assert_int_equal(number_next(&line, &value), 0);
        assert_int_equal(value, UINT64_MAX);
        assert_int_equal(number_next(&line, &value), 0);
        assert_int_equal(value, 3);
        assert_ptr_equal(line, start + strlen(start) - 1);
        assert_int_equal(number_next(&line, &value), -EINVAL);
        assert_int_equal(value, 3);
}

static void test_next_is_none(void **state)
{
        (void)state;
        static const struct number_case cases[] = {
                {"", -EINVAL}, {" ", -EINVAL}, {"-1", -EINVAL}, {"1x 2", -EINVAL}, {"18446744073709551616 1", -ERANGE},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const char *line = cases[i].string;
                uint64_t value = UNTOUCHED;
                assert_int_equal(number_next(&line, &value), cases[i].result);
                assert_int_equal(value, UNTOUCHED);
                assert_ptr_equal(line, cases[i].string);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_octal),
                cmocka_unit_test(test_next_of_a_line),
                cmocka_unit_test(test_next_is_none),
                cmocka_unit_test(test_durations),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_percents),
                cmocka_unit_test(test_formats_shortest_exact_form),
                cmocka_unit_test(test_formats_read_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
