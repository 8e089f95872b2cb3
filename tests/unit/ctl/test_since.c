/* Points in time as people write them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "ctl/since.h"

/* 2026-03-29 17:30:45 in Berlin, where at 2 o'clock of that day the clocks went on to 3. */
#define NOW 1774798245

static void set_zone(const char *zone)
{
        setenv("TZ", zone, 1);
        tzset();
}

static void expect(const char *text, int64_t seconds)
{
        uint64_t us = 0;

        if (ctl_since_parse(text, NOW, &us) != 0 || us != (uint64_t)seconds * 1000000)
                fail_msg("%s: %llu us, expected %lld s", text, (unsigned long long)us, (long long)seconds);
}

static void refuse(const char *text, int error)
{
        uint64_t us = 7;

        if (ctl_since_parse(text, NOW, &us) != error || us != 7)
                fail_msg("%s: not refused as expected", text);
}

static void test_spans_before_now(void **state)
{
        (void)state;
        expect("now", NOW);
        expect("-1h", NOW - 3600);
        expect("-90", NOW - 90);
        expect("-1h30min", NOW - 5400);
        expect("-1h 30min", NOW - 5400);
        expect("5 min ago", NOW - 300);
        expect("2 hours ago", NOW - 7200);
        expect("1 day 2 h ago", NOW - 93600);
        expect("3w ago", NOW - 1814400);
        expect("1s ago", NOW - 1);
        expect("@1234567890", 1234567890);
}

static void test_days(void **state)
{
        (void)state;
        set_zone("UTC");
        expect("today", 1774742400);
        expect("yesterday", 1774742400 - 86400);
        set_zone("Europe/Berlin"); /* this day has 23 hours */
        expect("today", 1774738800);
        expect("yesterday", 1774738800 - 86400);
        set_zone("UTC");
}

static void test_dates(void **state)
{
        (void)state;
        set_zone("UTC");
        expect("2026-03-29 17:30:45", 1774805445);
        expect("2026-03-29T17:30:45", 1774805445);
        expect("2026-03-29 17:30", 1774805400);
        expect("2026-03-29", 1774742400);
        expect("17:30:45", 1774805445);
        expect("09:00", 1774742400 + 32400);
        expect("1970-01-01 00:00:01", 1);
        set_zone("Europe/Berlin");
        expect("2026-03-29 17:30:45", NOW);
        set_zone("UTC");
}

static void test_what_is_no_time(void **state)
{
        static const char *const cases[] = {"",
                                            "-",
                                            " ",
                                            "ago",
                                            " ago",
                                            "5 min",
                                            "1h",
                                            "-h",
                                            "-1y",
                                            "-1x ago",
                                            "--1h",
                                            "- 1h",
                                            "tomorrow",
                                            "today ",
                                            "2026-02-30",
                                            "2026-13-01",
                                            "2026-03-29 25:00",
                                            "17",
                                            "17:30:45:1",
                                            "+1h",
                                            "@",
                                            "@-1",
                                            "@1x",
                                            "-99999999999",
                                            "min ago",
                                            "1 1 ago x"};

        (void)state;
        set_zone("UTC");
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                refuse(cases[i], -EINVAL);
        refuse("-9999999999", -ERANGE);
        refuse("1960-01-01", -ERANGE);
        refuse("@18446744073709551615", -ERANGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_spans_before_now),
                cmocka_unit_test(test_days),
                cmocka_unit_test(test_dates),
                cmocka_unit_test(test_what_is_no_time),
        };

        return cmocka_run_group_tests_name("since", tests, NULL, NULL);
}
