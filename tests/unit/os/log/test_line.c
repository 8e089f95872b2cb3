/* Log records as JSON: whatever they say, a line is one object that every reader of JSON takes, and no longer than it
 * may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/log/line.h"
#include "os/log/text.h"

#define ROUNDS 20000

static json_t *parse(const struct text *text)
{
        json_error_t error;
        json_t *object = json_loadb(text->bytes, text->length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

        if (!object)
                fail_msg("%s: %s", error.text, text->bytes);
        return object;
}

static void check(const struct log_record *record, uint64_t wall_ms, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(log_line_append_json(&text, record, wall_ms, LOG_LINE_MAX), 0);
        assert_string_equal(text_string(&text), expected);
        json_decref(parse(&text));
}

static void test_what_there_is(void **state)
{
        const struct log_fields all = {.message_id = MESSAGE_ID_STARTED,
                                       .pool = "www",
                                       .worker_pid = 4711,
                                       .generation = 2,
                                       .requests = 9,
                                       .request_duration_us = 1500,
                                       .reason = "max_requests",
                                       .file = "a.conf",
                                       .line = 7};
        char expected[512];

        (void)state;
        check(&(const struct log_record){.priority = LOG_INFO, .message = "hello"}, 0,
              "{\"level\":\"info\",\"program\":\"preforkd\",\"message\":\"hello\"}");
        check(&(const struct log_record){.priority = LOG_ERR, .message = ""}, 1500,
              "{\"time\":\"1970-01-01T00:00:01.500+00:00\",\"level\":\"error\",\"program\":\"preforkd\",\"message\":"
              "\"\"}");
        snprintf(expected, sizeof(expected),
                 "{\"level\":\"debug\",\"program\":\"preforkd\",\"pool\":\"www\",\"reason\":\"max_requests\","
                 "\"config_file\":\"a.conf\",\"worker_pid\":4711,\"generation\":2,\"requests\":9,"
                 "\"request_duration_us\":1500,\"config_line\":7,\"message_id\":\"%s\",\"message\":\"x\"}",
                 message_id_text(MESSAGE_ID_STARTED));
        check(&(const struct log_record){.priority = LOG_DEBUG, .fields = all, .message = "x"}, 0, expected);
}

static void test_what_needs_care(void **state)
{
        (void)state;
        check(&(const struct log_record){.priority = LOG_INFO, .message = "a\"b\\c\nd\te\033f\x7fg"}, 0,
              "{\"level\":\"info\",\"program\":\"preforkd\","
              "\"message\":\"a\\\"b\\\\c\\nd\\u0009e\\u001bf\\u007fg\"}");
        check(&(const struct log_record){.priority = LOG_INFO,
                                         .message = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
              0,
              "{\"level\":\"info\",\"program\":\"preforkd\",\"message\":\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac "
              "\xf0\x9f\x98\x80\"}");
        /* Latin-1, a character that is cut short, a surrogate, and C1, which speaks to terminals. */
        check(&(const struct log_record){.priority = LOG_INFO, .message = "\xfc|\xe2\x82|\xed\xa0\x80|\xc2\x9b"}, 0,
              "{\"level\":\"info\",\"program\":\"preforkd\",\"message\":\"\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|"
              "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\"}");
}

/* Random bytes, of which many need care, and a limit anywhere. */
static void test_any_message(void **state)
{
        static const char some[] = "ab\"\\\n\t\x01\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xff";
        char message[400];

        (void)state;
        srandom(1);
        for (int round = 0; round < ROUNDS; round++) {
                _cleanup_(text_clear) struct text text = {0};
                size_t length = (size_t)random() % sizeof(message), most = 60 + (size_t)random() % 900;
                const struct log_record record = {.priority = LOG_INFO, .message = message};

                for (size_t i = 0; i < length; i++)
                        message[i] = some[(size_t)random() % (sizeof(some) - 1)];
                message[length < sizeof(message) ? length : sizeof(message) - 1] = '\0';
                assert_int_equal(text_append(&text, "before"), 0);
                assert_int_equal(log_line_append_json(&text, &record, 0, most), 0);
                assert_true(text.length <= strlen("before") + most);
                memmove(text.bytes, text.bytes + strlen("before"), text.length - strlen("before") + 1);
                text.length -= strlen("before");
                json_t *object = parse(&text);
                assert_true(json_string_length(json_object_get(object, "message")) <= 3 * length);
                json_decref(object);
        }
}

/* All that is long at once: a line is a write that a pipe takes whole. */
static void test_a_line_is_no_longer_than_a_pipe_takes(void **state)
{
        static char path[4097], message[3001];
        const struct log_record record = {
                .priority = LOG_WARNING, .fields = {.pool = "p", .file = path}, .message = message};
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        memset(path, '\001', sizeof(path) - 1);
        memset(message, '"', sizeof(message) - 1);
        assert_int_equal(log_line_append(&text, &record, &(const struct log_form){.stamps = true, .json = true}), 0);
        assert_true(text.length <= LOG_LINE_MAX && text.bytes[text.length - 1] == '\n');
        text.bytes[--text.length] = '\0';
        json_decref(parse(&text));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_there_is),
                cmocka_unit_test(test_what_needs_care),
                cmocka_unit_test(test_any_message),
                cmocka_unit_test(test_a_line_is_no_longer_than_a_pipe_takes),
        };

        setenv("TZ", "UTC", 1);
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
