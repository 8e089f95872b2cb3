/* Parsing a configuration: sections, keys, values, and every mistake with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "logic/config/schema.h"
#include "unit/config_helpers.h"

static void check_refused(const char *text, const char *expected)
{
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse(&config, "f", text, strlen(text), &problems), 0);
        assert_problems(&problems, expected);
        assert_true(problem_list_refuses(&problems));
}

static void test_fills_in_what_the_file_says(void **state)
{
        (void)state;
        static const char text[] =
                "[preforkd]\nlog_level = debug\nlog_target = syslog\nshutdown_timeout = 1m\n\n"
                "[www]\nlisten = 127.0.0.1:80 /run/www.sock ; two\nhandler = /usr/bin/x 'a b'\n    --last\n"
                "user = www-data\nlimit_nofile = 64:128\nmax_workers = 7\nenvironment = A=1 'B=2 3'\nnice = -5\n"
                "oom_score_adj = 0\n\n[mail]\nhandler = cat\n";
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse(&config, "f", text, strlen(text), &problems), 0);
        assert_problems(&problems, "");
        assert_int_equal(config.master.log_level, LOG_DEBUG);
        assert_int_equal(config.master.log_target.kind, LOG_TARGET_SYSLOG);
        assert_int_equal(config.master.shutdown_timeout_ms, 60000);
        assert_int_equal(config.pool_count, 2);
        const struct pool_config *www = config.pools[0];
        assert_string_equal(www->name, "www");
        assert_int_equal(www->section.line, 6);
        assert_int_equal(www->listen.count, 2);
        assert_string_equal(www->listen.items[1].text, "/run/www.sock");
        assert_int_equal(www->handler.count, 3);
        assert_string_equal(www->handler.list[2], "--last");
        assert_string_equal(www->user.name, "www-data");
        assert_true(www->limits[LIMIT_NOFILE].set);
        assert_int_equal(www->limits[LIMIT_NOFILE].hard, 128);
        assert_int_equal(www->max_workers, 7);
        assert_string_equal(www->environment.list[1], "B=2 3");
        assert_int_equal(www->nice, -5);
        assert_true(www->oom_score_adj_set);
        assert_int_equal(www->origins[POOL_HANDLER].line, 8);
        assert_string_equal(www->origins[POOL_HANDLER].file, "f");
        assert_int_equal(www->origins[POOL_BACKLOG].line, 0);
        assert_string_equal(config.pools[1]->name, "mail");
}

static void test_several_files_are_one_configuration(void **state)
{
        (void)state;
        static const char a[] = "[preforkd]\nlog_level = debug\n[a]\nhandler = x\n";
        static const char b[] = "[b]\nhandler = y\n[preforkd]\nshutdown_timeout = 5s\n";
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse(&config, "a.conf", a, strlen(a), &problems), 0);
        assert_int_equal(config_parse(&config, "b.conf", b, strlen(b), &problems), 0);
        assert_problems(&problems, "");
        assert_int_equal(config.pool_count, 2);
        assert_int_equal(config.master.shutdown_timeout_ms, 5000);
        assert_string_equal(config.pools[1]->origins[POOL_HANDLER].file, "b.conf");
}

static void test_duplicates_name_both_places(void **state)
{
        (void)state;
        static const char a[] = "[preforkd]\nlog_level = debug\n[a]\nnice = 1\nnice = 2\n";
        static const char b[] = "[a]\nnice = 3\nnonsense = 1\n[preforkd]\nlog_level = info\n[b]\n[b]\n";
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse(&config, "a.conf", a, strlen(a), &problems), 0);
        assert_int_equal(config_parse(&config, "b.conf", b, strlen(b), &problems), 0);
        assert_problems(&problems, "a.conf:5: nice is set twice; it was first set at a.conf:4\n"
                                   "b.conf:1: pool \"a\" is already defined at a.conf:3\n"
                                   "b.conf:5: log_level is set twice; it was first set at a.conf:2\n"
                                   "b.conf:7: pool \"b\" is already defined at b.conf:6");
        assert_int_equal(config.pools[0]->nice, 1);
}

static void test_unknown_keys(void **state)
{
        (void)state;
        check_refused("[a]\nmax_worker = 1\n", "f:2: unknown key 'max_worker'; did you mean 'max_workers'?");
        check_refused("[a]\nMax_Workers = 1\n", "f:2: unknown key 'Max_Workers'; did you mean 'max_workers'?");
        check_refused("[a]\nmax-requests = 1\n", "f:2: unknown key 'max-requests'; did you mean 'max_requests'?");
        check_refused("[a]\npm.max_children = 1\n",
                      "f:2: unknown key 'pm.max_children': php-fpm's pm.max_children is max_workers here");
        check_refused("[a]\naccess_times = 1\n", "f:2: unknown key 'access_times': xinetd's access_times has no "
                                                 "counterpart here: a firewall decides who "
                                                 "may connect");
        check_refused("[a]\nMAXREQUESTWORKERS 3\n",
                      "f:2: Apache's MaxRequestWorkers is max_workers here; lines are 'key = value'");
        check_refused(
                "[preforkd]\nprocess_control_timeout = 1\n",
                "f:2: unknown key 'process_control_timeout': php-fpm's process_control_timeout is shutdown_timeout "
                "here (in [preforkd])");
        check_refused(
                "[a]\nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnx = 1\n",
                "f:2: unknown key 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…'");
        check_refused("[preforkd]\nlog_levle = 1\n", "f:2: unknown key 'log_levle'; did you mean 'log_level'?");
        check_refused("[a]\nlog_level = info\n", "f:2: 'log_level' is a key of [preforkd], not of a pool");
        check_refused("[preforkd]\nuser = www\n", "f:2: 'user' is a key of pools, not of [preforkd]");
}

static void test_bad_values(void **state)
{
        (void)state;
        check_refused("[a]\nmax_workers = abc\n",
                      "f:2: max_workers: \"abc\" is not a number; expected a whole number from 1 to 65000");
        check_refused("[preforkd]\nlog_target = file\n",
                      "f:2: log_target: \"file\" is not a known target; expected auto, journal, syslog, stderr or "
                      "file:/path/of/file");
        check_refused("[preforkd]\nlog_target = file:log\n",
                      "f:2: log_target: the path of the file is not absolute; expected auto, journal, syslog, stderr "
                      "or file:/path/of/file");
        check_refused("[preforkd]\nlog_target = file:/var/log/\n",
                      "f:2: log_target: a file is expected, and this is a directory; expected auto, journal, syslog, "
                      "stderr or file:/path/of/file");
        /* The place of a value is its first line. */
        check_refused(
                "[a]\nenvironment = A=1\n    B=2\n    C\n",
                "f:2: environment: word 3, after that of B, is not NAME=VALUE (a value with blanks needs quotes)");
}

static void test_a_bad_value_marks_its_origin(void **state)
{
        (void)state;
        static const char text[] = "[a]\nmax_workers = abc\nnice = 'open\nlisten = /x\n";
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse(&config, "f", text, strlen(text), &problems), 0);
        assert_int_equal(problems.count, 2);
        assert_true(config.pools[0]->origins[POOL_MAX_WORKERS].refused);
        assert_int_equal(config.pools[0]->origins[POOL_MAX_WORKERS].line, 2);
        assert_true(config.pools[0]->origins[POOL_NICE].refused); /* the line was refused before it was a value */
        assert_false(config.pools[0]->origins[POOL_LISTEN].refused);
}

static void test_pool_names(void **state)
{
        (void)state;
        char text[200], expected[200];

        check_refused("[-a]\n", "f:1: \"-a\" is not a valid pool name; expected a letter or digit first, and at most "
                                "48 bytes");
        check_refused("[..]\nnice = 1\n", "f:1: \"..\" is not a valid pool name; expected a letter or digit first, and "
                                          "at most 48 bytes");
        snprintf(text, sizeof(text), "[%049d]\n", 0);
        snprintf(expected, sizeof(expected),
                 "f:1: \"%049d\" is not a valid pool name; expected a letter or digit "
                 "first, and at most 48 bytes",
                 0);
        check_refused(text, expected);

        snprintf(text, sizeof(text), "[%090d]\n", 0);
        snprintf(expected, sizeof(expected),
                 "f:1: \"%080d…\" is not a valid pool name; expected a letter or digit "
                 "first, and at most 48 bytes",
                 0);
        check_refused(text, expected);

        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        snprintf(text, sizeof(text), "[%048d]\n[Web-2.main_x]\n", 0);
        assert_int_equal(config_parse(&config, "f", text, strlen(text), &problems), 0);
        assert_problems(&problems, "");
        assert_int_equal(config.pool_count, 2);
}

static void test_all_mistakes_are_found(void **state)
{
        (void)state;
        check_refused("nice = 1\n[a\nnice = 1\n[b]\nnice: 1\nnice = x\nfoo = 1\n  user = x\n\n  bar\n",
                      "f:1: nice: no section above; expected [preforkd] or [POOL] first\n"
                      "f:2: no ']' after the section name\n"
                      "f:5: ':' does not separate a key from its value here; expected 'nice = ...'\n"
                      "f:6: nice: \"x\" is not a number; expected a whole number from -20 to 19\n"
                      "f:8: this indented line continues foo, but looks like the key user; remove "
                      "the indentation, or put the word in quotes\n"
                      "f:7: unknown key 'foo'\n"
                      "f:10: an indented line, but no value directly above that it could continue");
}

static void test_command_line(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse_option(&config, "log-level", "debug", &problems), 0);
        assert_int_equal(config.pool_count, 0);
        assert_int_equal(config_parse_option(&config, "max-workers", "7", &problems), 0);
        assert_int_equal(config_parse_option(&config, "min_spare_workers", "2", &problems), 0);
        assert_int_equal(config_parse_option(&config, "handler", "cat 'a b'", &problems), 0);
        assert_problems(&problems, "");
        assert_int_equal(config.pool_count, 1);
        assert_string_equal(config.pools[0]->name, "main");
        assert_int_equal(config.pools[0]->max_workers, 7);
        assert_int_equal(config.pools[0]->min_spare_workers, 2);
        assert_string_equal(config.pools[0]->handler.list[1], "a b");
        assert_int_equal(config.master.log_level, LOG_DEBUG);
        assert_true(config.pools[0]->origins[POOL_MAX_WORKERS].line > 0);
        assert_null(config.pools[0]->origins[POOL_MAX_WORKERS].file);
}

static void test_command_line_mistakes(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        static const char *const options[][2] = {
                {"max-worker", "1"}, {"max-workers", "x"}, {"nice", "1"},
                {"nice", "2"},       {"frobnicate", "1"},  {"directory", "/a\nb"},
                {"umask", ""},       {"handler", "'x"},    {"per-source", "3"},
        };

        for (size_t i = 0; i < ELEMENTS(options); i++)
                assert_int_equal(config_parse_option(&config, options[i][0], options[i][1], &problems), 0);
        assert_problems(&problems,
                        "unknown option '--max-worker'; did you mean '--max-workers'?\n"
                        "--max-workers: \"x\" is not a number; expected a whole number from 1 to 65000\n"
                        "--nice is given twice\n"
                        "unknown option '--frobnicate'\n"
                        "--directory: the value has control characters or is not UTF-8 text\n"
                        "--umask: no value; expected an octal number from 0000 to 0777\n"
                        "--handler: \"'x\" has an unclosed quote or ends in a backslash; expected a program and its "
                        "arguments\n"
                        "unknown option '--per-source': xinetd's per_source is --max-connections-per-source here");
}

static void test_canonical_text_has_places(void **state)
{
        (void)state;
        static const char text[] = "#line 3 \"/etc/p.conf\"\n[a]\n#line 9 \"/etc/q.conf\"\nnice = 3\n"
                                   "#line 0 \"\"\nbacklog = 9\n#line 11 \"/etc/q.conf\"\nnice = 4\n";
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse_canonical(&config, text, strlen(text), &problems), 0);
        assert_problems(&problems, "/etc/q.conf:11: nice is set twice; it was first set at /etc/q.conf:9");
        assert_string_equal(config.pools[0]->section.file, "/etc/p.conf");
        assert_int_equal(config.pools[0]->section.line, 3);
        assert_int_equal(config.pools[0]->origins[POOL_BACKLOG].line, 0);
        assert_int_equal(config.pools[0]->backlog, 9);
}

/* The writer may be a newer program. */
static void test_canonical_text_with_unknown_keys(void **state)
{
        static const char text[] = "[preforkd]\nof_a_later_day = 1\n[a]\n#line 9 \"/etc/q.conf\"\nlater_still = x\n"
                                   "nice = 3\nlog_level = info\n";
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        (void)state;
        assert_int_equal(config_parse_canonical(&config, text, strlen(text), &problems), 0);
        assert_false(problem_list_refuses(&problems));
        assert_int_equal(problems.count, 3);
        assert_string_equal(problems.items[0].text, "'of_a_later_day' is not known to this version: ignored");
        assert_string_equal(problems.items[1].text, "'later_still' is not known to this version: ignored");
        assert_string_equal(problems.items[1].file, "/etc/q.conf");
        assert_string_equal(problems.items[2].text, "'log_level' is not known to this version: ignored");
        assert_int_equal(config.pools[0]->nice, 3);
}

static void test_from_canonical(void **state)
{
        static const char good[] = "[preforkd]\n[a]\nlisten = 127.0.0.1:7007\nhandler = /bin/cat\n";
        static const char bad[] = "[preforkd]\n[a]\nlisten = 127.0.0.1:7007\n";
        const struct config_context context = {.uid = 1000, .gid = 1000};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        struct config *config = NULL;

        (void)state;
        assert_int_equal(config_from_canonical(bad, strlen(bad), &context, &config, &problems), 0);
        assert_true(problem_list_refuses(&problems));
        assert_null(config);
        problem_list_clear(&problems);
        assert_int_equal(config_from_canonical(good, strlen(good), &context, &config, &problems), 0);
        assert_int_equal(problems.count, 0);
        assert_int_equal(config->pools[0]->max_workers, 64);
        config_clear(config);
        free(config);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fills_in_what_the_file_says),
                cmocka_unit_test(test_several_files_are_one_configuration),
                cmocka_unit_test(test_duplicates_name_both_places),
                cmocka_unit_test(test_unknown_keys),
                cmocka_unit_test(test_bad_values),
                cmocka_unit_test(test_a_bad_value_marks_its_origin),
                cmocka_unit_test(test_pool_names),
                cmocka_unit_test(test_all_mistakes_are_found),
                cmocka_unit_test(test_command_line),
                cmocka_unit_test(test_command_line_mistakes),
                cmocka_unit_test(test_canonical_text_has_places),
                cmocka_unit_test(test_canonical_text_with_unknown_keys),
                cmocka_unit_test(test_from_canonical),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
