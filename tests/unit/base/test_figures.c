/* Numbers for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/figures.h"

static void test_durations(void **state)
{
        static const struct {
                uint64_t ms;
                const char *text;
        } cases[] = {
                {0, "0ms"},          {999, "999ms"},        {1000, "1.0s"},       {9999, "9.9s"},
                {10000, "10s"},      {59999, "59s"},        {60000, "1m 00s"},    {3599999, "59m 59s"},
                {3600000, "1h 00m"}, {86399999, "23h 59m"}, {86400000, "1d 00h"}, {UINT64_MAX, "213503982334d 14h"}};
        char text[FIGURE_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_string_equal(figure_duration(cases[i].ms, text), cases[i].text);
        assert_string_equal(figure_microseconds(999, text), "999us");
        assert_string_equal(figure_microseconds(1234, text), "1.2ms");
        assert_string_equal(figure_microseconds(99999, text), "99.9ms");
        assert_string_equal(figure_microseconds(1500000, text), "1.5s");
}

static void test_sizes_and_rates(void **state)
{
        char text[FIGURE_MAX];

        (void)state;
        assert_string_equal(figure_size(0, text), "0K");
        assert_string_equal(figure_size(UINT64_C(417) * 1024, text), "417K");
        assert_string_equal(figure_size(1024 * 1024 * 13 / 10, text), "1.3M");
        assert_string_equal(figure_size(UINT64_C(25) << 30, text), "25G");
        assert_true(text_starts_with(figure_size(UINT64_MAX, text), "16384P"));
        assert_string_equal(figure_rate(0, text), "0");
        assert_string_equal(figure_rate(3.14, text), "3.1");
        assert_string_equal(figure_rate(1234.5, text), "1234");
        assert_string_equal(figure_count(UINT64_MAX, text), "18446744073709551615");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_durations),
                cmocka_unit_test(test_sizes_and_rates),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
