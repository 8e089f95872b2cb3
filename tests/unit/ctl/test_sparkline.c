/* Bars of busy workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "ctl/sparkline.h"
#include "logic/status/history.h"

#define MINUTE 60000.

static struct history_row row(double age_min, double for_min, double busy)
{
        return (struct history_row){.column = {[HISTORY_AGE_MS] = age_min * MINUTE,
                                               [HISTORY_FOR_MS] = for_min * MINUTE,
                                               [HISTORY_BUSY] = busy}};
}

static void check(const struct history_row *rows, size_t count, size_t bars, bool is_utf8, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(ctl_sparkline(rows, count, bars, is_utf8, &text), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_every_height(void **state)
{
        struct history_row rows[10];

        (void)state;
        for (int i = 0; i < 10; i++)
                rows[i] = row(9 - i, 1, i);
        check(rows, 10, 10, false, "_.:-==+*## 9.0");
        check(rows, 10, 10, true, "▁▂▃▄▅▅▆▇██ 9.0");
        check(rows, 10, 5, false, ".-=*# 8.5"); /* averages of two */
}

static void test_nobody_and_nothing_known(void **state)
{
        const struct history_row idle = row(0, 100, 0), young = row(0, 1.5, 2);

        (void)state;
        check(NULL, 0, 4, true, "     0.0");
        check(&idle, 1, 4, false, "____ 0.0");
        check(&young, 1, 10, false, "        ## 2.0");
}

/* An interval longer than all bars is an average of them all; one worker for a tenth of the time is not much. */
static void test_scale(void **state)
{
        const struct history_row rows[] = {row(2, 600, 0.1), row(0, 2, 0)};
        const struct history_row many = row(0, 10, 120);

        (void)state;
        check(rows, 2, 5, false, "...._ 0.1");
        check(&many, 1, 3, false, "### 120");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_height),
                cmocka_unit_test(test_nobody_and_nothing_known),
                cmocka_unit_test(test_scale),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
