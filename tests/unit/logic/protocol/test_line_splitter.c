/* The line splitter: lines however they arrive, long lines, priorities, and bytes that must not reach a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/protocol/line_splitter.h"

/* Writes what is emitted as text, one line a line: `3 hello`, `- text`; cut ones end in a backslash. */
static void write_down(void *context, const struct line *line)
{
        struct text *record = context;

        assert_int_equal(strlen(line->bytes), line->length);
        assert_in_range(line->length, 1, LINE_SPLITTER_MAX);
        assert_in_range(line->priority + 1, 0, 8);
        text_appendf(record, "%c ", line->priority < 0 ? '-' : '0' + line->priority);
        text_appendf(record, "%s%s\n", line->bytes, line->cut ? "\\" : "");
}

static void feed(struct line_splitter *splitter, const char *bytes, size_t length, struct text *record)
{
        line_splitter_feed(splitter, bytes, length, write_down, record);
}

static void check(const char *bytes, size_t length, const char *expected)
{
        struct line_splitter splitter = {0};
        _cleanup_(text_clear) struct text record = {0};

        feed(&splitter, bytes, length, &record);
        assert_string_equal(text_string(&record), expected);
        assert_null(splitter.pending);
        line_splitter_clear(&splitter);
}

#define CHECK(bytes, expected) check(bytes, sizeof(bytes) - 1, expected)

static void lines_and_priorities(void **state)
{
        (void)state;
        CHECK("one\ntwo\n", "- one\n- two\n");
        CHECK("<3>wrong\n<7>detail\n<0>dead\n", "3 wrong\n7 detail\n3 dead\n");
        CHECK("<1>help\n<2>help\n<4>hm\n", "3 help\n3 help\n4 hm\n");
        CHECK("<8>no\n<a>no\n<3 no\n<13>no\nx<3>no\n <3>no\n<3\n<\n",
              "- <8>no\n- <a>no\n- <3 no\n- <13>no\n- x<3>no\n-  <3>no\n- <3\n- <\n");
        CHECK("<4><5>twice\n", "4 <5>twice\n");
        CHECK("\n\n<3>\n\r\n<3>\r\nrest\n", "- rest\n");
}

static void harmful_bytes(void **state)
{
        (void)state;
        CHECK("a\0b\x1b[31mred\x07\x7f\tx\r\n", "- a?b?[31mred??\tx\n");
        CHECK("a\rb\r\r\n", "- a?b?\n");
        CHECK("caf\xc3\xa9 \xc2\x9b"
              "2J \xc2\xa0 \xff\xc2\n",
              "- caf\xc3\xa9 ??2J \xc2\xa0 \xff\xc2\n");
        CHECK("\x01\n<3>\x1b\n", "- ?\n3 ?\n");
}

static void pieces(void **state)
{
        struct line_splitter splitter = {0};
        _cleanup_(text_clear) struct text record = {0};

        (void)state;
        feed(&splitter, "<", 1, &record);
        assert_non_null(splitter.pending);
        feed(&splitter, "5>he", 4, &record);
        feed(&splitter, "", 0, &record);
        feed(&splitter, "llo", 3, &record);
        assert_string_equal(text_string(&record), "");
        feed(&splitter, "\nwor", 4, &record);
        assert_string_equal(text_string(&record), "5 hello\n");
        line_splitter_flush(&splitter, write_down, &record);
        assert_string_equal(text_string(&record), "5 hello\n- wor\n");
        assert_null(splitter.pending);
        line_splitter_flush(&splitter, write_down, &record);
        feed(&splitter, "lost", 4, &record);
        line_splitter_clear(&splitter);
        assert_null(splitter.pending);
        feed(&splitter, "kept\n", 5, &record);
        assert_string_equal(text_string(&record), "5 hello\n- wor\n- kept\n");
}

/* A line of `length` bytes, fed in pieces of `step`, with a newline behind it or not. */
static void check_length(size_t length, size_t step, bool newline)
{
        struct line_splitter splitter = {0};
        _cleanup_(text_clear) struct text record = {0};
        size_t kept = MIN_OF(length, (size_t)LINE_SPLITTER_MAX), total = length + (newline ? 1 : 0);
        bool cut = length > LINE_SPLITTER_MAX;
        _cleanup_(freep) char *bytes = malloc(total);

        memset(bytes, 'x', length);
        if (newline)
                bytes[length] = '\n';
        for (size_t at = 0; at < total; at += step) {
                feed(&splitter, bytes + at, MIN_OF(step, total - at), &record);
                assert_in_range(splitter.length, 0, LINE_SPLITTER_MAX);
        }
        if (!newline)
                line_splitter_flush(&splitter, write_down, &record);
        assert_null(splitter.pending);
        assert_int_equal(record.length, 2 + kept + (cut ? 1 : 0) + 1);
        assert_int_equal(splitter.swallowed_bytes, length - kept);
        feed(&splitter, "next\n", 5, &record);
        assert_string_equal(text_string(&record) + record.length - 7, "- next\n");
}

static void long_lines_are_cut_and_counted(void **state)
{
        static const size_t lengths[] = {1, 2047, 2048, 2049, 2050, 4096, 4097, 10000};
        static const size_t steps[] = {1, 7, 2047, 2048, 2049, 20000};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lengths); i++)
                for (size_t j = 0; j < ELEMENTS(steps); j++) {
                        check_length(lengths[i], steps[j], true);
                        check_length(lengths[i], steps[j], false);
                }
}

static void a_long_line_is_emitted_before_it_ends(void **state)
{
        struct line_splitter splitter = {0};
        _cleanup_(text_clear) struct text record = {0};
        static const char level[] = {'<', '4', '>'};
        char bytes[LINE_SPLITTER_MAX + 1];

        (void)state;
        memset(bytes, 'x', sizeof(bytes));
        memcpy(bytes, level, sizeof(level));
        feed(&splitter, bytes, sizeof(bytes), &record);
        assert_int_equal(record.length, 2 + LINE_SPLITTER_MAX - 3 + 2);
        assert_memory_equal(text_string(&record), "4 x", 3);
        assert_null(splitter.pending);
        assert_true(splitter.swallowing);
        feed(&splitter, "more", 4, &record);
        assert_int_equal(splitter.swallowed_bytes, 5);
        /* The writer is gone in the middle of it; the next one begins a line of its own. */
        line_splitter_flush(&splitter, write_down, &record);
        feed(&splitter, "next\n", 5, &record);
        assert_string_equal(text_string(&record) + record.length - 7, "- next\n");
}

static uint32_t random_of(uint32_t *seed)
{
        *seed = *seed * 1664525 + 1013904223;
        return *seed >> 8;
}

/* However a stream is cut into pieces, the same lines come out. */
static void pieces_make_no_difference(void **state)
{
        static const char alphabet[] = "ab<123>\n\n\r\t\x1b\xc2\x9b";
        static char stream[6000];
        uint32_t seed = 7;

        (void)state;
        for (unsigned round = 0; round < 300; round++) {
                struct line_splitter at_once = {0}, in_pieces = {0};
                _cleanup_(text_clear) struct text first = {0}, second = {0};
                size_t length = random_of(&seed) % sizeof(stream), piece;
                uint32_t newlines = 1 + random_of(&seed) % 300;
                for (size_t i = 0; i < length; i++) {
                        stream[i] = alphabet[random_of(&seed) % (sizeof(alphabet) - 1)];
                        if (stream[i] == '\n' && random_of(&seed) % newlines)
                                stream[i] = 'x';
                }
                feed(&at_once, stream, length, &first);
                line_splitter_flush(&at_once, write_down, &first);
                for (size_t at = 0; at < length; at += piece) {
                        piece = 1 + random_of(&seed) % MIN_OF((size_t)3000, length - at);
                        feed(&in_pieces, stream + at, piece, &second);
                }
                line_splitter_flush(&in_pieces, write_down, &second);
                assert_string_equal(text_string(&first), text_string(&second));
                assert_int_equal(at_once.swallowed_bytes, in_pieces.swallowed_bytes);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_and_priorities),
                cmocka_unit_test(harmful_bytes),
                cmocka_unit_test(pieces),
                cmocka_unit_test(long_lines_are_cut_and_counted),
                cmocka_unit_test(a_long_line_is_emitted_before_it_ends),
                cmocka_unit_test(pieces_make_no_difference),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
