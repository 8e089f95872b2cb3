#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/log/text.h"

static void prefix_of(struct log_fields fields, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};
        const struct log_record record = {.priority = LOG_INFO, .fields = fields, .message = ""};

        assert_int_equal(log_text_append_prefix(&text, &record), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_prefix(void **state)
{
        (void)state;
        prefix_of((struct log_fields){0}, "");
        prefix_of((struct log_fields){.pool = "www"}, "pool www: ");
        prefix_of((struct log_fields){.pool = "www", .worker_pid = 4711}, "pool www: worker 4711: ");
        prefix_of((struct log_fields){.file = "a.conf"}, "a.conf: ");
        prefix_of((struct log_fields){.pool = "www", .file = "a.conf", .line = 7}, "pool www: a.conf:7: ");
}

static void line_of(const char *string, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(log_text_append_line(&text, string), 0);
        assert_string_equal(text_string(&text), expected);
}

static void test_lines_stay_lines(void **state)
{
        (void)state;
        line_of("", "");
        line_of("plain\twith tab, größe", "plain\twith tab, größe");
        line_of("one\npreforkd: error: forged", "one\\npreforkd: error: forged");
        line_of("\n\r\x1b[31mred\x7f\n", "\\n\\x0d\\x1b[31mred\\x7f\\n");
}

static void time_of(const char *zone, uint64_t wall_ms, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(setenv("TZ", zone, 1), 0);
        tzset();
        assert_int_equal(log_text_append_time(&text, wall_ms), 0);
        assert_string_equal(text_string(&text), expected);
}

/* Always as long, so that lines can be sorted; zones of half hours, and west of Greenwich by less than one. */
static void test_times(void **state)
{
        (void)state;
        time_of("UTC0", 0, "1970-01-01T00:00:00.000+00:00 ");
        time_of("UTC0", 1795276800007, "2026-11-21T16:00:00.007+00:00 ");
        time_of("CET-1CEST,M3.5.0,M10.5.0/3", 1795276800999, "2026-11-21T17:00:00.999+01:00 ");
        time_of("CET-1CEST,M3.5.0,M10.5.0/3", 1783728000000, "2026-07-11T02:00:00.000+02:00 ");
        time_of("IST-5:30", 1795276800000, "2026-11-21T21:30:00.000+05:30 ");
        time_of("NST3:30", 1795276800000, "2026-11-21T12:30:00.000-03:30 ");
        time_of("XXX0:15", 1795276800000, "2026-11-21T15:45:00.000-00:15 ");
}

static void cut_to(const char *string, size_t max_bytes, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append(&text, string), 0);
        log_text_cut(&text, max_bytes);
        assert_string_equal(text_string(&text), expected);
        assert_int_equal(text.length, strlen(expected));
}

static void test_cut_between_characters(void **state)
{
        (void)state;
        cut_to("abc", 3, "abc");
        cut_to("abcd", 3, "abc");
        cut_to("aä", 2, "a");
        cut_to("aäb", 3, "aä");
        cut_to("\xf0\x9f\x98\x80x", 3, "");
        cut_to("\x80\x80\x80\x80\x80\x80", 5, "\x80\x80");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_lines_stay_lines),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_cut_between_characters),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
