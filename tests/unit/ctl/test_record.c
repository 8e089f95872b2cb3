/* Records of the log as lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "ctl/record.h"

#define AT_US UINT64_C(1774805445123456) /* 2026-03-29 17:30:45 UTC */

static void expect(const struct ctl_record *record, bool colours, const char *line)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(ctl_record_print(record, colours, &text), 0);
        assert_string_equal(text_string(&text), line);
}

static void test_lines(void **state)
{
        struct ctl_record record = {.at_us = AT_US, .priority = LOG_WARNING, .pid = "4711", .message = "full"};

        (void)state;
        expect(&record, false, "Mar 29 17:30:45.123 preforkd[4711]: warning: full\n");
        record = (struct ctl_record){.at_us = AT_US, .priority = LOG_INFO, .pid = "", .message = "x"};
        expect(&record, false, "Mar 29 17:30:45.123 preforkd: x\n");
        expect(&record, true, "Mar 29 17:30:45.123 preforkd: x\n");
}

static void test_colours(void **state)
{
        struct ctl_record record = {.at_us = AT_US, .priority = LOG_CRIT, .pid = "1", .message = "x"};

        (void)state;
        expect(&record, true, "Mar 29 17:30:45.123 preforkd[1]: \033[1;31merror: x\033[0m\n");
        record.priority = LOG_WARNING;
        expect(&record, true, "Mar 29 17:30:45.123 preforkd[1]: \033[1;33mwarning: x\033[0m\n");
        record.priority = LOG_NOTICE;
        expect(&record, true, "Mar 29 17:30:45.123 preforkd[1]: \033[1mx\033[0m\n");
        record.priority = LOG_DEBUG;
        expect(&record, true, "Mar 29 17:30:45.123 preforkd[1]: \033[90mdebug: x\033[0m\n");
}

/* A handler's words are in the journal as they came. */
static void test_no_record_speaks_to_the_terminal(void **state)
{
        const struct ctl_record record = {.at_us = AT_US, .priority = LOG_INFO, .pid = "1", .message = "a\033[2J\nb"};

        (void)state;
        expect(&record, true, "Mar 29 17:30:45.123 preforkd[1]: a\\x1b[2J\\nb\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_colours),
                cmocka_unit_test(test_no_record_speaks_to_the_terminal),
        };

        setenv("TZ", "UTC", 1);
        tzset();
        return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
