/* The control protocol's requests: every command, and everything that is not one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/protocol/control_request.h"

static struct control_request parse(const char *line)
{
        _cleanup_(text_clear) struct text error = {0};
        struct control_request request;

        assert_int_equal(control_request_parse(line, strlen(line), &request, &error), 0);
        assert_string_equal(text_string(&error), "");
        return request;
}

static void refused(const char *line, size_t length, const char *expected)
{
        _cleanup_(text_clear) struct text error = {0};
        struct control_request request;

        assert_int_equal(control_request_parse(line, length, &request, &error), -EINVAL);
        assert_string_equal(text_string(&error), expected);
}

static void check_refused(const char *line, const char *expected)
{
        refused(line, strlen(line), expected);
}

static void test_commands(void **state)
{
        static const struct {
                const char *line;
                enum control_command command;
                const char *pool;
                bool flag;
        } cases[] = {
                {"status", CONTROL_STATUS, NULL, false},
                {"  status   www ", CONTROL_STATUS, "www", false},
                {"status --workers", CONTROL_STATUS, NULL, true},
                {"status --workers www", CONTROL_STATUS, "www", true},
                {"status 'w w' --workers", CONTROL_STATUS, "w w", true},
                {"why", CONTROL_WHY, NULL, false},
                {"why www", CONTROL_WHY, "www", false},
                {"reload", CONTROL_RELOAD, NULL, false},
                {"reload --dry-run", CONTROL_RELOAD, NULL, true},
                {"restart www", CONTROL_RESTART, "www", false},
                {"pause www", CONTROL_PAUSE, "www", false},
                {"resume www", CONTROL_RESUME, "www", false},
                {"drain", CONTROL_DRAIN, NULL, false},
                {"drain www", CONTROL_DRAIN, "www", false},
                {"undrain www", CONTROL_UNDRAIN, "www", false},
                {"stop", CONTROL_STOP, NULL, false},
                {"stop --now", CONTROL_STOP, NULL, true},
                {"upgrade", CONTROL_UPGRADE, NULL, false},
                {"config", CONTROL_CONFIG, NULL, false},
                {"version", CONTROL_VERSION, NULL, false},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(control_request_clear) struct control_request request = parse(cases[i].line);
                assert_int_equal(request.command, cases[i].command);
                assert_int_equal(request.flag, cases[i].flag);
                assert_int_equal(request.pool == NULL, cases[i].pool == NULL);
                if (cases[i].pool)
                        assert_string_equal(request.pool, cases[i].pool);
        }
}

static void test_arguments(void **state)
{
        _cleanup_(control_request_clear) struct control_request scale =
                parse("scale www max_workers=20 when_full='refuse'");
        _cleanup_(control_request_clear) struct control_request kill = parse("kill-worker 4711");
        _cleanup_(control_request_clear) struct control_request upgrade = parse("upgrade /usr/sbin/preforkd");

        (void)state;
        assert_string_equal(scale.pool, "www");
        assert_int_equal(scale.setting_count, 2);
        assert_string_equal(scale.settings[0], "max_workers=20");
        assert_string_equal(scale.settings[1], "when_full=refuse");
        assert_int_equal(kill.worker, 4711);
        assert_string_equal(upgrade.path, "/usr/sbin/preforkd");
}

static void test_what_is_refused(void **state)
{
        (void)state;
        check_refused("", "the request is empty");
        check_refused("   ", "the request is empty");
        check_refused("statsu", "unknown command 'statsu'; did you mean 'status'?");
        check_refused("frobnicate", "unknown command 'frobnicate'");
        check_refused("STATUS", "unknown command 'STATUS'");
        check_refused("drain www mail", "drain: unexpected 'mail'");
        check_refused("status www b", "status: unexpected 'b'");
        check_refused("status --now", "status: unknown option '--now'");
        check_refused("status -x", "status: unknown option '-x'");
        check_refused("upgrade -x", "upgrade: unknown option '-x'");
        check_refused("reload www", "reload: unexpected 'www'");
        check_refused("version 1", "version: unexpected '1'");
        check_refused("restart", "expected: restart POOL");
        check_refused("scale www", "expected: scale POOL KEY=VALUE...");
        check_refused("scale", "expected: scale POOL KEY=VALUE...");
        check_refused("scale www max_workers", "scale: unexpected 'max_workers'");
        check_refused("scale www =3", "scale: unexpected '=3'");
        check_refused("kill-worker", "expected: kill-worker PID");
        check_refused("kill-worker x", "'x' is not a process id");
        check_refused("kill-worker 0", "'0' is not a process id");
        check_refused("kill-worker -1", "kill-worker: unknown option '-1'");
        check_refused("kill-worker 99999999999", "'99999999999' is not a process id");
        check_refused("status 'www", "a quote is not closed, or the request ends in a backslash");
}

static void test_garbage(void **state)
{
        (void)state;
        refused("status\0www", 10, "the request is not UTF-8 text, or has control characters");
        check_refused("status\x01", "the request is not UTF-8 text, or has control characters");
        check_refused("\xff\xfe", "the request is not UTF-8 text, or has control characters");
        check_refused("GET / HTTP/1.1\r", "the request is not UTF-8 text, or has control characters");
}

static void test_names(void **state)
{
        (void)state;
        for (int i = 0; i < CONTROL_COMMAND_COUNT; i++) {
                enum control_command command = (enum control_command)i;
                assert_int_equal(control_command_find(control_command_name(command)), i);
                assert_non_null(control_command_usage(command));
        }
        assert_int_equal(control_command_find("no"), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_commands),        cmocka_unit_test(test_arguments),
                cmocka_unit_test(test_what_is_refused), cmocka_unit_test(test_garbage),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
