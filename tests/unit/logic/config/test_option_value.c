/* Values of every type: what is taken, what it prints as, and how a refusal reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/option_value.h"
#include "logic/config/schema.h"
#include "unit/config_helpers.h"

static void pool_clear(struct pool_config *pool)
{
        for (int i = 0; i < POOL_OPTION_COUNT; i++)
                option_value_clear(&pool_options[i], pool);
}

/* `value` is taken and printed as `printed`, which is taken for the same value. */
static void check_good(enum pool_option option, const char *value, const char *printed)
{
        _cleanup_(pool_clear) struct pool_config pool = {0}, again = {0};
        _cleanup_(text_clear) struct text error = {0}, text = {0};

        if (option_value_parse(&pool_options[option], &pool, value, &error) != 0)
                fail_msg("%s = %s: %s", pool_options[option].name, value, text_string(&error));
        assert_int_equal(option_value_print(&pool_options[option], &pool, &text), 0);
        assert_string_equal(text_string(&text), printed);
        assert_int_equal(option_value_parse(&pool_options[option], &again, printed, &error), 0);
        assert_true(option_value_equal(&pool_options[option], &pool, &again));
}

/* `value` is refused with `expected`, and the field is left alone. */
static void check_bad(enum pool_option option, const char *value, const char *expected)
{
        _cleanup_(pool_clear) struct pool_config pool = {0}, untouched = {0};
        _cleanup_(text_clear) struct text error = {0};

        assert_int_equal(option_value_parse(&pool_options[option], &pool, value, &error), -EINVAL);
        assert_string_equal(text_string(&error), expected);
        assert_true(option_value_equal(&pool_options[option], &pool, &untouched));
}

static void test_bools(void **state)
{
        (void)state;
        static const char *const yes[] = {"yes", "true", "on", "1", "'yes'"};
        static const char *const no[] = {"no", "false", "off", "0"};

        for (size_t i = 0; i < ELEMENTS(yes); i++)
                check_good(POOL_TCP_NODELAY, yes[i], "yes");
        for (size_t i = 0; i < ELEMENTS(no); i++)
                check_good(POOL_TCP_NODELAY, no[i], "no");
        check_bad(POOL_TCP_NODELAY, "maybe", "\"maybe\" is not yes or no; expected yes or no");
        check_bad(POOL_TCP_NODELAY, "", "no value; expected yes or no");
}

static void test_numbers(void **state)
{
        (void)state;
        check_good(POOL_MAX_WORKERS, "1", "1");
        check_good(POOL_MAX_WORKERS, "\"65000\"", "65000");
        check_bad(POOL_MAX_WORKERS, "abc", "\"abc\" is not a number; expected a whole number from 1 to 65000");
        check_bad(POOL_MAX_WORKERS, "0", "\"0\" is out of range; expected a whole number from 1 to 65000");
        check_bad(POOL_MAX_WORKERS, "65001", "\"65001\" is out of range; expected a whole number from 1 to 65000");
        check_bad(POOL_MAX_WORKERS, "99999999999999999999",
                  "\"99999999999999999999\" is out of range; expected a whole number from 1 to 65000");
        check_bad(POOL_MAX_WORKERS, "-1", "\"-1\" is not a number; expected a whole number from 1 to 65000");
        check_bad(POOL_MAX_WORKERS, "", "no value; expected a whole number from 1 to 65000");
        check_bad(POOL_MAX_WORKERS, "6 4",
                  "\"6 4\" is more than one word (quotes make it one); expected a whole number from 1 to 65000");
        check_bad(POOL_MAX_WORKERS, "'64",
                  "\"'64\" has an unclosed quote or ends in a backslash; expected a whole number from 1 to 65000");
        check_good(POOL_NICE, "-20", "-20");
        check_good(POOL_NICE, "19", "19");
        check_bad(POOL_NICE, "-21", "\"-21\" is out of range; expected a whole number from -20 to 19");
        check_bad(POOL_NICE, "20", "\"20\" is out of range; expected a whole number from -20 to 19");
        check_bad(POOL_NICE, "9223372036854775808",
                  "\"9223372036854775808\" is out of range; expected a whole number from -20 to 19");
        check_bad(POOL_NICE, "+5", "\"+5\" is not a number; expected a whole number from -20 to 19");
        check_bad(POOL_NICE, "-", "\"-\" is not a number; expected a whole number from -20 to 19");
        check_good(POOL_OOM_SCORE_ADJ, "0", "0"); /* set to 0, which is not the same as unset */
        check_good(POOL_OOM_SCORE_ADJ, "", "");
        check_good(POOL_OOM_SCORE_ADJ, "-1000", "-1000");
}

static void test_units(void **state)
{
        (void)state;
        check_good(POOL_KILL_TIMEOUT, "500ms", "500ms");
        check_good(POOL_KILL_TIMEOUT, "90", "90s");
        check_good(POOL_KILL_TIMEOUT, "1h30m", "90m");
        check_good(POOL_KILL_TIMEOUT, "8760h", "8760h");
        check_bad(POOL_KILL_TIMEOUT, "8761h",
                  "\"8761h\" is out of range; expected a duration from 0 to 8760h (such as 500ms, 30s, 5m, 1h)");
        check_bad(POOL_SPARE_TIMEOUT, "0",
                  "\"0\" is out of range; expected a duration from 1ms to 8760h (such as 500ms, 30s, 5m, 1h)");
        check_bad(POOL_KILL_TIMEOUT, "5 s", "\"5 s\" has a blank before its unit; expected 5s");
        check_bad(POOL_KILL_TIMEOUT, "90 seconds", "\"90 seconds\" has a blank before its unit; expected 90s");
        check_bad(POOL_KILL_TIMEOUT, "5min", "\"5min\": the unit is written otherwise; expected 5m");
        check_bad(POOL_MAX_WORKER_MEMORY, "10 MB", "\"10 MB\" has a blank before its unit; expected 10M");
        check_bad(POOL_LIMIT_AS, "1 GiB", "\"1 GiB\" has a blank before its unit; expected 1G");
        check_bad(POOL_RELOAD_SURGE, "25 percent", "\"25 percent\" has a blank before its unit; expected 25%");
        check_bad(POOL_KILL_TIMEOUT, "5 parsecs",
                  "\"5 parsecs\" is more than one word (quotes make it one); "
                  "expected a duration from 0 to 8760h (such as 500ms, 30s, 5m, 1h)");
        check_good(POOL_MAX_WORKER_MEMORY, "64M", "64M");
        check_good(POOL_MAX_WORKER_MEMORY, "1048576", "1M");
        check_bad(POOL_MAX_WORKER_MEMORY, "64MB", "\"64MB\": the unit is written otherwise; expected 64M");
        check_bad(POOL_MAX_WORKER_MEMORY, "64X",
                  "\"64X\" is not a size; expected a size from 0 to 1024T (such as 512K, 64M)");
        check_good(POOL_RELOAD_SURGE, "100%", "100%");
        check_bad(POOL_RELOAD_SURGE, "25", "\"25\" is not a percentage; expected a percentage from 1% to 100%");
        check_bad(POOL_RELOAD_SURGE, "0%", "\"0%\" is out of range; expected a percentage from 1% to 100%");
        check_good(POOL_UMASK, "77", "0077");
        check_bad(POOL_UMASK, "1000", "\"1000\" is out of range; expected an octal number from 0000 to 0777");
        check_bad(POOL_UMASK, "u=rwx", "\"u=rwx\" is not an octal number; expected an octal number from 0000 to 0777");
}

static void test_choices(void **state)
{
        (void)state;
        check_good(POOL_SCALING, "ondemand", "ondemand");
        check_bad(POOL_SCALING, "Dynamic",
                  "\"Dynamic\" is not a known word; expected dynamic, static, ondemand or adaptive");
        check_bad(POOL_WHEN_FULL, "reject", "\"reject\" is not a known word; expected queue or refuse");
        check_bad(POOL_HANDLER_TYPE, "wait",
                  "\"wait\" is not a known word; expected inetd, listener, module or builtin");
        check_good(POOL_START_METHOD, "snapshot", "snapshot");
        check_bad(POOL_START_METHOD, "spawn",
                  "\"spawn\" is not a known word; expected exec, forkserver, snapshot or auto");
}

static void test_log_levels(void **state)
{
        (void)state;
        struct master_config master = {0};
        _cleanup_(text_clear) struct text text = {0};
        const struct option *option = &master_options[MASTER_LOG_LEVEL];

        assert_int_equal(option_value_parse(option, &master, "error", &text), 0);
        assert_int_equal(option_value_print(option, &master, &text), 0);
        assert_string_equal(text_string(&text), "err");
}

static void test_log_targets(void **state)
{
        (void)state;
        static const char *const texts[] = {
                "auto", "journal", "syslog", "stderr", "file:/var/log/preforkd/log", "'file:/var/log/my daemon'"};
        const struct option *option = &master_options[MASTER_LOG_TARGET];
        struct master_config master = {0}, other = {0};

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                _cleanup_(text_clear) struct text text = {0};
                assert_int_equal(option_value_parse(option, &master, texts[i], &text), 0);
                assert_false(option_value_equal(option, &master, &other) && i > 0);
                assert_int_equal(option_value_print(option, &master, &text), 0);
                assert_string_equal(text_string(&text), texts[i]);
                assert_int_equal(option_value_parse(option, &other, texts[i], &text), 0);
                assert_true(option_value_equal(option, &master, &other));
        }
        assert_string_equal(master.log_target.path, "/var/log/my daemon");
        option_value_clear(option, &master);
        option_value_clear(option, &other);
        assert_null(master.log_target.path);
}

static void test_rates(void **state)
{
        (void)state;
        static const char expected[] = "expected a rate such as 50/s or 600/m burst 20, of numbers from 1 to 1000000";
        static const char *const wrong[] = {"50",         "50/",          "/s",
                                            "50/d",       "-1/s",         "50/s 20",
                                            "50/s burst", "50/s burst x", "50/s burst 20 more",
                                            "burst 20",   "50 /s",        "1.5/s"};

        check_good(POOL_STDERR_RATE_LIMIT, "50/s", "50/s burst 50");
        check_good(POOL_STDERR_RATE_LIMIT, "600/m  burst 20", "600/m burst 20");
        check_good(POOL_STDERR_RATE_LIMIT, "1000000/h burst 1", "1000000/h burst 1");
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                char message[256];
                snprintf(message, sizeof(message), "\"%s\" is not a rate; %s", wrong[i], expected);
                check_bad(POOL_STDERR_RATE_LIMIT, wrong[i], message);
        }
        static const char *const far[] = {"0/s", "1000001/s", "50/s burst 0", "50/s burst 99999999999999999999"};
        for (size_t i = 0; i < ELEMENTS(far); i++) {
                char message[256];
                snprintf(message, sizeof(message), "\"%s\" is out of range; %s", far[i], expected);
                check_bad(POOL_STDERR_RATE_LIMIT, far[i], message);
        }
}

static void test_limits_of_pressure(void **state)
{
        (void)state;
        static const char expected[] = "expected limits such as 60%, cpu 80% or cpu 80% memory 20%, of 1% to 99%";
        static const char *const wrong[] = {
                "60",      "cpu",        "60% cpu",        "cpu 60% memory", "cpu 60%, memory 20%",
                "cpu=60%", "io 60%",     "cpu 60% cpu 7%", "60% 20%",        "CPU 60%",
                "-1%",     "cpu 60 % x", "6.5%",           "cpu memory 20%"};
        static const char *const far[] = {"0%", "100%", "cpu 0%", "cpu 50% memory 100%", "99999999999999999999%"};

        check_good(POOL_GROWTH_PRESSURE_LIMIT, "60%", "60%");
        check_good(POOL_GROWTH_PRESSURE_LIMIT, "cpu 1%", "cpu 1%");
        check_good(POOL_GROWTH_PRESSURE_LIMIT, "memory  99%", "memory 99%");
        check_good(POOL_GROWTH_PRESSURE_LIMIT, "memory 20% cpu 80%", "cpu 80% memory 20%");
        check_good(POOL_GROWTH_PRESSURE_LIMIT, "memory 20% cpu 20%", "20%");
        check_good(POOL_GROWTH_PRESSURE_LIMIT, "", "");
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                char message[256];
                snprintf(message, sizeof(message), "\"%s\" is not a limit of pressure; %s", wrong[i], expected);
                check_bad(POOL_GROWTH_PRESSURE_LIMIT, wrong[i], message);
        }
        for (size_t i = 0; i < ELEMENTS(far); i++) {
                char message[256];
                snprintf(message, sizeof(message), "\"%s\" is out of range; %s", far[i], expected);
                check_bad(POOL_GROWTH_PRESSURE_LIMIT, far[i], message);
        }
}

static void test_names(void **state)
{
        (void)state;
        check_good(POOL_ARGV0, "-bash", "-bash");
        check_good(POOL_ARGV0, "'two words'", "'two words'");
        check_good(POOL_ARGV0, "", "");
        check_bad(POOL_ARGV0, "''", "\"''\" is not a name; expected one word");
        check_bad(POOL_ARGV0, "two words",
                  "\"two words\" is more than one word (quotes make it one); expected one word");
}

static void test_lists_of_names_and_files(void **state)
{
        (void)state;
        check_good(POOL_PASS_ENVIRONMENT, " LANG  'TZ' ", "LANG TZ");
        check_good(POOL_PASS_ENVIRONMENT, "", "");
        check_bad(POOL_PASS_ENVIRONMENT, "LANG 1A", "\"1A\" is not the name of a variable");
        check_bad(POOL_PASS_ENVIRONMENT, "A=b", "A has a value; expected its name alone, or environment");
        check_good(POOL_ENVIRONMENT_FILE, "/a '-/b c'", "/a '-/b c'");
        check_bad(
                POOL_ENVIRONMENT_FILE, "/a -b",
                "\"-b\" is not an absolute path; expected absolute paths, with - in front of one that need not exist");
}

static void test_paths(void **state)
{
        (void)state;
        check_good(POOL_DIRECTORY, "/srv/my\\ data", "'/srv/my data'");
        check_good(POOL_ROOT_DIRECTORY, "", "");
        check_bad(POOL_DIRECTORY, "srv", "\"srv\" is not an absolute path; expected an absolute path");
        check_bad(POOL_DIRECTORY, "", "no value; expected an absolute path");
        check_bad(POOL_DIRECTORY, "''", "\"''\" is not an absolute path; expected an absolute path");
        check_bad(POOL_DIRECTORY, "/srv/my data",
                  "\"/srv/my data\" is more than one word (quotes make it one); expected an absolute path");
}

static void test_handlers(void **state)
{
        (void)state;
        check_good(POOL_HANDLER, "/bin/sh  -c 'echo \"$1\"; exit'", "/bin/sh -c 'echo \"$1\"; exit'");
        check_good(POOL_HANDLER, "cat", "cat");
        check_bad(POOL_HANDLER, "bin/cat -n",
                  "\"bin/cat\" is a relative path; expected an absolute path, or a "
                  "name to be found in PATH");
        check_bad(POOL_HANDLER, "/bin/cat | /bin/tac",
                  "\"|\" is for a shell, and none reads this; expected /bin/sh -c '...', or quotes around it if the "
                  "program is to get it");
        check_bad(
                POOL_HANDLER, "/bin/cat >/dev/null",
                "\">/dev/null\" is for a shell, and none reads this; expected /bin/sh -c '...', or quotes around it if "
                "the program is to get it");
        check_good(POOL_HANDLER, "/bin/grep '|' \">\" \\& a|b --x=>y", "/bin/grep '|' '>' '&' 'a|b' '--x=>y'");
        check_bad(POOL_HANDLER, "LANG=C /bin/cat", "\"LANG\" is a variable and no program; expected it in environment");
        check_bad(POOL_HANDLER, "\u201c/bin/cat\u201d", "\u201c is no quote here; expected \" or '");
        check_bad(POOL_HANDLER, "'' x", "the program's name is empty");
        check_bad(POOL_HANDLER, "", "no value; expected a program and its arguments");
}

static void test_environments(void **state)
{
        (void)state;
        check_good(POOL_ENVIRONMENT,
                   "A=1 'B=two words' _c3= LANG=C.UTF-8 X==", "A=1 'B=two words' _c3= LANG=C.UTF-8 X==");
        check_good(POOL_ENVIRONMENT, "A=1 AB=2", "A=1 AB=2");
        check_good(POOL_ENVIRONMENT, "", "");
        check_bad(POOL_ENVIRONMENT, "A=1 words B=2",
                  "word 2, after that of A, is not NAME=VALUE (a value with blanks needs quotes)");
        check_bad(POOL_ENVIRONMENT, "=1", "word 1 is not NAME=VALUE (a value with blanks needs quotes)");
        check_bad(POOL_ENVIRONMENT, "1A=1", "word 1 is not NAME=VALUE (a value with blanks needs quotes)");
        check_bad(POOL_ENVIRONMENT, "A-B=1", "word 1 is not NAME=VALUE (a value with blanks needs quotes)");
        check_bad(POOL_ENVIRONMENT, "A=1 B=2 A=3", "A is set twice");
        check_bad(POOL_ENVIRONMENT, "A='s3cret",
                  "the value has an unclosed quote or ends in a backslash; expected NAME=VALUE words");
}

static void test_listen(void **state)
{
        (void)state;
        static const char expected[] = "ADDRESS:PORT, [IPV6-ADDRESS]:PORT, *:PORT, /path/of/socket, @abstract-name, "
                                       "udp:ADDRESS:PORT, unixgram:/path/of/socket or systemd:NAME";
        _cleanup_(text_clear) struct text text = {0};
        char path[120];

        check_good(POOL_LISTEN, "localhost:80  *:81 [::1]:82 /run/x.sock @name",
                   "127.0.0.1:80 [::]:81 [::1]:82 /run/x.sock @name");
        check_good(POOL_LISTEN, "'/run/my socket'", "'/run/my socket'");
        assert_int_equal(text_appendf(&text,
                                      "\"example.org:80\" is not an address (host names are not looked up); "
                                      "expected %s",
                                      expected),
                         0);
        check_bad(POOL_LISTEN, "127.0.0.1:80 example.org:80", text_string(&text));
        static const char *const mistakes[][2] = {
                {"8080", "\"8080\" is a port without an address; expected *:8080 for every address, or 127.0.0.1:8080"},
                {":80", "\":80\" has no address before its port; expected *:80 for every address, or 127.0.0.1:80"},
                {"127.0.0.1:80, 127.0.0.2:80",
                 "\"127.0.0.1:80,\" has a comma; addresses of a list are separated by blanks alone"},
                {"127.0.0.1 80", "\"127.0.0.1\" has no port; expected ADDRESS:PORT in one word"},
                {"::1", "\"::1\" has no port; expected ADDRESS:PORT in one word"},
                {"::1:80", "\"::1:80\": an IPv6 address needs brackets; expected [::1]:80"},
                {"tcp://127.0.0.1:80", "\"tcp://127.0.0.1:80\": no \"tcp:\" belongs before an address; expected "
                                       "ADDRESS:PORT or /path/of/socket"},
                {"unix:/run/x.sock",
                 "\"unix:/run/x.sock\": no \"unix:\" belongs before an address; expected ADDRESS:PORT "
                 "or /path/of/socket"},
                {"run/x.sock", "\"run/x.sock\": the path of a socket is absolute; expected /path/of/socket"},
                {"\u201c/run/x\u201d",
                 "\"\u201c/run/x\u201d\": the path of a socket is absolute; expected /path/of/socket"},
        };
        for (size_t i = 0; i < ELEMENTS(mistakes); i++)
                check_bad(POOL_LISTEN, mistakes[i][0], mistakes[i][1]);
        text_truncate(&text);
        assert_int_equal(text_appendf(&text, "no value; expected %s", expected), 0);
        check_bad(POOL_LISTEN, "", text_string(&text));
        check_bad(POOL_LISTEN, "127.0.0.1:70000",
                  "\"127.0.0.1:70000\": the port is out of range; expected a port from 1 to 65535");
        check_bad(POOL_LISTEN, "[fe80::1%none0]:80",
                  "\"[fe80::1%none0]:80\": there is no network interface of that name");
        check_good(POOL_LISTEN, "systemd:web.socket @a", "systemd:web.socket @a");
        check_good(POOL_LISTEN, "'systemd:my web'", "'systemd:my web'");
        check_bad(POOL_LISTEN, "systemd:",
                  "\"systemd:\" is not systemd:NAME with the FileDescriptorName= of a socket "
                  "unit: 1 to 255 printable ASCII characters other than \":\"");
        check_bad(POOL_LISTEN, "systemd:a:b",
                  "\"systemd:a:b\" is not systemd:NAME with the FileDescriptorName= of a "
                  "socket unit: 1 to 255 printable ASCII characters other than \":\"");
        memset(path, 'p', sizeof(path));
        path[0] = '/';
        path[108] = '\0';
        text_truncate(&text);
        assert_int_equal(
                text_appendf(&text, "\"%.80s…\": the path is too long for a socket; at most 107 bytes fit", path), 0);
        check_bad(POOL_LISTEN, path, text_string(&text));
}

static void test_accounts(void **state)
{
        (void)state;
        struct pool_config pool = {0};
        _cleanup_(text_clear) struct text error = {0};

        check_good(POOL_USER, "www-data", "www-data");
        check_good(POOL_USER, "0033", "33");
        check_good(POOL_USER, "4294967294", "4294967294");
        check_good(POOL_USER, "", "");
        check_good(POOL_USER, "'DOMAIN\\user name'", "'DOMAIN\\user name'");
        check_good(POOL_SUPPLEMENTARY_GROUPS, "adm 7 ssl-cert", "adm 7 ssl-cert");
        check_bad(POOL_USER, "4294967295", "\"4294967295\" is out of range; expected a name or a number");
        check_bad(POOL_USER, "a:b", "\"a:b\" is not an account; expected a name or a number");
        check_bad(POOL_USER, "-1", "\"-1\" is not an account; expected a name or a number");
        check_bad(POOL_SUPPLEMENTARY_GROUPS, "adm, ssl-cert",
                  "\"adm,\" is not an account; expected names or numbers, separated by blanks");

        /* Numbers are known at once, names wait for the loader; a resolved name prints as its number. */
        assert_int_equal(option_value_parse(&pool_options[POOL_USER], &pool, "33", &error), 0);
        assert_true(pool.user.resolved);
        assert_int_equal(pool.user.id, 33);
        assert_int_equal(option_value_parse(&pool_options[POOL_GROUP], &pool, "www", &error), 0);
        assert_false(pool.group.resolved);
        pool.group.resolved = true;
        pool.group.id = 12;
        assert_int_equal(option_value_print(&pool_options[POOL_GROUP], &pool, &error), 0);
        assert_string_equal(text_string(&error), "12");
        pool_clear(&pool);
}

static void test_limits(void **state)
{
        (void)state;
        check_good(POOL_LIMIT_NOFILE, "1024", "1024");
        check_good(POOL_LIMIT_NOFILE, "1024:4096", "1024:4096");
        check_good(POOL_LIMIT_NOFILE, "1024:infinity", "1024:infinity");
        check_good(POOL_LIMIT_NOFILE, "infinity", "infinity");
        check_good(POOL_LIMIT_NOFILE, "7:7", "7");
        check_good(POOL_LIMIT_NOFILE, "", "");
        check_good(POOL_LIMIT_AS, "512M:1G", "512M:1G");
        check_good(POOL_LIMIT_CORE, "0", "0");
        check_bad(POOL_LIMIT_NOFILE, "64K",
                  "\"64K\" is not a limit; expected SOFT or SOFT:HARD, each a whole number from 3 or infinity");
        check_bad(POOL_LIMIT_NOFILE, "2",
                  "\"2\" is out of range; expected SOFT or SOFT:HARD, each a whole number from "
                  "3 or infinity");
        check_bad(POOL_LIMIT_NOFILE, "18446744073709551615",
                  "\"18446744073709551615\" is out of range; expected SOFT "
                  "or SOFT:HARD, each a whole number from 3 or infinity");
        check_bad(POOL_LIMIT_AS, "1G:",
                  "\"1G:\" is not a limit in bytes; expected SOFT or SOFT:HARD, each a size "
                  "(such as 64M) or infinity");
        check_bad(POOL_LIMIT_AS, "1G:512M", "the soft limit 1G is above the hard limit 512M");
        check_bad(POOL_LIMIT_AS, "infinity:1G", "the soft limit infinity is above the hard limit 1G");
}

static void test_long_values_are_cut_in_complaints(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        /* 79 bytes and a character of two: cut before it, not through it. */
        assert_int_equal(option_quote_excerpt(&text, "1234567890123456789012345678901234567890"
                                                     "123456789012345678901234567890123456789ä"),
                         0);
        assert_string_equal(text_string(&text), "\"1234567890123456789012345678901234567890"
                                                "123456789012345678901234567890123456789…\"");
}

static void test_parsing_replaces_and_empties(void **state)
{
        (void)state;
        _cleanup_(pool_clear) struct pool_config pool = {0};
        _cleanup_(text_clear) struct text text = {0};
        static const struct {
                enum pool_option option;
                const char *first;
        } cases[] = {
                {POOL_USER, "www"},        {POOL_SUPPLEMENTARY_GROUPS, "a b"},
                {POOL_ENVIRONMENT, "A=1"}, {POOL_ROOT_DIRECTORY, "/x"},
                {POOL_LIMIT_AS, "1G"},     {POOL_OOM_SCORE_ADJ, "5"},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct option *option = &pool_options[cases[i].option];
                assert_int_equal(option_value_parse(option, &pool, cases[i].first, &text), 0);
                assert_int_equal(option_value_parse(option, &pool, cases[i].first, &text), 0);
                assert_int_equal(option_value_parse(option, &pool, "", &text), 0);
                assert_int_equal(option_value_print(option, &pool, &text), 0);
                assert_string_equal(text_string(&text), "");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bools),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_units),
                cmocka_unit_test(test_choices),
                cmocka_unit_test(test_log_levels),
                cmocka_unit_test(test_log_targets),
                cmocka_unit_test(test_rates),
                cmocka_unit_test(test_limits_of_pressure),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_lists_of_names_and_files),
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_handlers),
                cmocka_unit_test(test_environments),
                cmocka_unit_test(test_listen),
                cmocka_unit_test(test_accounts),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_long_values_are_cut_in_complaints),
                cmocka_unit_test(test_parsing_replaces_and_empties),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
