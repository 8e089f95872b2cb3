#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/config/message.h"

static void expect_bytes(const char *string, const char *bytes, size_t length)
{
        _cleanup_(message_clear) struct message message = {0};
        _cleanup_(text_clear) struct text error = {0};

        assert_int_equal(message_parse(string, &message, &error), 0);
        assert_null(message.path);
        assert_int_equal(message.length, length);
        assert_memory_equal(message.bytes, bytes, length);
}

static void expect_error(const char *string, const char *words)
{
        _cleanup_(message_clear) struct message message = {0};
        _cleanup_(text_clear) struct text error = {0};

        assert_int_equal(message_parse("kept", &message, &error), 0);
        assert_int_equal(message_parse(string, &message, &error), -EINVAL);
        if (!strstr(text_string(&error), words))
                fail_msg("%s: %s", string, text_string(&error));
        assert_string_equal(message.bytes, "kept");
}

static void test_forms(void **state)
{
        (void)state;
        expect_bytes("plain text", "plain text", 10);
        expect_bytes("\"a \\\"quoted\\\" one\\r\\n\"", "a \"quoted\" one\r\n", 16);
        expect_bytes("'it is \"so\"\\t'", "it is \"so\"\t", 11);
        expect_bytes("\\x00\\xfF\\\\\\e\\a\\b\\f\\v\\'", "\0\xff\\\x1b\a\b\f\v'", 9);
        expect_bytes("''", "", 0);
        expect_bytes("\\x40/x", "@/x", 3);
        expect_bytes("\"ends in a backslash \\\\\"", "ends in a backslash \\", 21);
}

static void test_errors(void **state)
{
        static char longest[MESSAGE_MAX + 2];

        (void)state;
        expect_error("\\q", "\"\\q\" is no escape");
        expect_error("a\\", "\"\\\" is no escape");
        expect_error("\\x", "\"\\x\" is no escape");
        expect_error("\\x4", "\"\\x4\" is no escape");
        expect_error("\\x4g", "\"\\x4g\" is no escape");
        expect_error("'\\x4'", "\"\\x4\" is no escape");
        expect_error("'open", "unclosed quote");
        expect_error("\"open\\\"", "unclosed quote");
        expect_error("'a'b", "follows the quote");
        expect_error("'a\\'b'", "follows the quote");
        expect_error("@", "absolute path");
        expect_error("'@x'", "absolute path");
        memset(longest, 'x', MESSAGE_MAX + 1);
        expect_error(longest, "4097 bytes");
        longest[MESSAGE_MAX] = '\0';
        expect_bytes(longest, longest, MESSAGE_MAX);
}

/* What is printed is read, also if a writer splits it into words and quotes them anew. */
static void expect_round_trip(const char *bytes, size_t length)
{
        _cleanup_(message_clear) struct message message = {0}, read = {0};
        _cleanup_(text_clear) struct text printed = {0}, quoted = {0}, error = {0};
        _cleanup_(words_clear) struct words words = {0};

        assert_int_equal(message_set_bytes(&message, bytes, length), 0);
        assert_int_equal(message_print_bytes(&message, &printed), 0);
        assert_int_equal(text_printable_length(text_string(&printed), printed.length), printed.length);
        assert_int_equal(words_split(text_string(&printed), &words), 0);
        assert_int_equal(words.count, 1);
        assert_int_equal(words_quote(&quoted, words.list[0]), 0);
        assert_int_equal(message_parse(text_string(&printed), &read, &error), 0);
        assert_true(message_equal(&message, &read));
        assert_int_equal(message_parse(text_string(&quoted), &read, &error), 0);
        assert_true(message_equal(&message, &read));
}

static void test_round_trips(void **state)
{
        char pair[2];

        (void)state;
        for (unsigned first = 0; first < 256; first++)
                for (unsigned second = 0; second < 256; second++) {
                        pair[0] = (char)first;
                        pair[1] = (char)second;
                        expect_round_trip(pair, 2);
                }
        expect_round_trip("", 0);
        expect_round_trip("\xe2\x82\xac and \xf0\x9f\x98\x80, \xe2\x82", 14);
        expect_round_trip("  blanks  \t", 11);
}

static void test_files(void **state)
{
        _cleanup_(message_clear) struct message message = {0}, other = {0};
        _cleanup_(text_clear) struct text printed = {0}, error = {0};

        (void)state;
        assert_int_equal(message_parse("\"@/a b\"", &message, &error), 0);
        assert_string_equal(message.path, "/a b");
        assert_null(message.bytes);
        assert_int_equal(message_print(&message, &printed), 0);
        assert_string_equal(text_string(&printed), "'@/a b'");
        assert_int_equal(message_parse(text_string(&printed), &other, &error), 0);
        assert_true(message_equal(&message, &other));
        assert_int_equal(message_take_bytes(&message, "'x\\n'"), 0);
        assert_string_equal(message.bytes, "x\n");
        assert_string_equal(message.path, "/a b");
        assert_false(message_equal(&message, &other));
        assert_int_equal(message_take_bytes(&message, "\\q"), 0);
        assert_int_equal(message_take_bytes(&message, "@/y"), 0);
        assert_string_equal(message.bytes, "x\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_errors),
                cmocka_unit_test(test_round_trips),
                cmocka_unit_test(test_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
