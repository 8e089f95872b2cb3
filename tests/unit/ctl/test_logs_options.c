/* The command line of `preforkctl logs`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/words.h"
#include "ctl/logs_options.h"

#define NOW 1774798245

static int parse(const char *line, struct words *words, struct ctl_logs_options *options, struct text *complaint)
{
        words_clear(words);
        assert_int_equal(words_split(line, words), 0);
        return ctl_logs_options_parse(words->list ? words->list : (char *[]){NULL}, NOW, options, complaint);
}

static void test_defaults(void **state)
{
        _cleanup_(words_clear) struct words words = {0};
        _cleanup_(text_clear) struct text complaint = {0};
        struct ctl_logs_options options;

        (void)state;
        assert_int_equal(parse("", &words, &options, &complaint), 0);
        assert_null(options.pool);
        assert_false(options.follow);
        assert_int_equal(options.lines, 10);
        assert_int_equal(options.priority, LOG_DEBUG);
        assert_int_equal(options.since_us, 0);
        assert_int_equal(parse("--since=-1h", &words, &options, &complaint), 0);
        assert_true(options.lines == CTL_LOGS_ALL);
}

static void test_every_form(void **state)
{
        static const char *const lines[] = {"-f -n 5 -p err -S '1h ago' www",
                                            "www --follow --lines=5 --priority=err --since='-1h'",
                                            "-n5 www -p3 --since -1h -f", "--lines 5 --priority error www -S-1h -f"};
        _cleanup_(words_clear) struct words words = {0};
        _cleanup_(text_clear) struct text complaint = {0};
        struct ctl_logs_options options;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                assert_int_equal(parse(lines[i], &words, &options, &complaint), 0);
                assert_string_equal(options.pool, "www");
                assert_true(options.follow);
                assert_int_equal(options.lines, 5);
                assert_int_equal(options.priority, LOG_ERR);
                assert_int_equal(options.since_us, (NOW - 3600) * UINT64_C(1000000));
                assert_int_equal(complaint.length, 0);
        }
        assert_int_equal(parse("-n all -p debug", &words, &options, &complaint), 0);
        assert_true(options.lines == CTL_LOGS_ALL);
        assert_int_equal(parse("-n 0 -p 0", &words, &options, &complaint), 0);
        assert_int_equal(options.lines, 0);
        assert_int_equal(options.priority, LOG_EMERG);
}

static void test_refused(void **state)
{
        static const struct {
                const char *line, *complaint;
        } cases[] = {
                {"-n", "--lines: expected a number of records, or all"},
                {"-n -1", "--lines: expected a number of records, or all"},
                {"--priority 8", "--priority: \"8\" is not a known word; expected emerg, alert, crit, err, error, "
                                 "warning, notice, info or "
                                 "debug"},
                {"-S soon",
                 "--since: expected a time such as -1h, \"5 min ago\", today, 17:00 or \"2026-11-21 17:00:00\""},
                {"www mail", "expected logs [POOL] [-f] [-n N] [-p LEVEL] [--since TIME]"},
                {"--until now", "expected logs [POOL] [-f] [-n N] [-p LEVEL] [--since TIME]"},
        };
        _cleanup_(words_clear) struct words words = {0};
        struct ctl_logs_options options;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(text_clear) struct text complaint = {0};
                assert_int_equal(parse(cases[i].line, &words, &options, &complaint), -EINVAL);
                assert_string_equal(text_string(&complaint), cases[i].complaint);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_every_form),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests_name("logs_options", tests, NULL, NULL);
}
