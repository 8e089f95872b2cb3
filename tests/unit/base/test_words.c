/* Words: splitting as a shell would, and quoting that splits back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"

static void test_splits(void **state)
{
        (void)state;
        static const struct {
                const char *string;
                const char *words[5];
        } cases[] = {
                {"", {0}},
                {" \t\n ", {0}},
                {"a", {"a"}},
                {"  a\tb\nc ", {"a", "b", "c"}},
                {"'a b' \"c d\"", {"a b", "c d"}},
                {"a'b'\"c\"d", {"abcd"}},
                {"'' \"\"", {"", ""}},
                {"'a\\b\"c'", {"a\\b\"c"}},
                {"\"a\\\"b\\\\c\\d'e\"", {"a\"b\\c\\d'e"}},
                {"a\\ b\\'c\\\\ \\n", {"a b'c\\", "n"}},
                {"$HOME *.c # x;y", {"$HOME", "*.c", "#", "x;y"}},
                {"Grüße '日 本'", {"Grüße", "日 本"}},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(words_clear) struct words words = {0};
                assert_int_equal(words_split(cases[i].string, &words), 0);
                size_t count = 0;
                for (; cases[i].words[count]; count++) {
                        assert_true(count < words.count);
                        assert_string_equal(words.list[count], cases[i].words[count]);
                }
                assert_int_equal(words.count, count);
                assert_true(!words.list || words.list[count] == NULL);
        }
}

static void test_refuses_what_is_open(void **state)
{
        (void)state;
        static const char *const cases[] = {"'", "a 'b", "\"a", "\"a\\\"", "a\\", "'a' \\"};

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct words words = {.count = 42};
                assert_int_equal(words_split(cases[i], &words), -EINVAL);
                assert_int_equal(words.count, 42);
        }
}

static void test_copies(void **state)
{
        (void)state;
        _cleanup_(words_clear) struct words a = {0}, b = {0};

        assert_int_equal(words_split("one 'two three'", &a), 0);
        assert_int_equal(words_add(&b, "old"), 0);
        assert_int_equal(words_copy(&a, &b), 0);
        assert_int_equal(b.count, 2);
        assert_string_equal(b.list[1], "two three");
        assert_ptr_not_equal(a.list[1], b.list[1]);
        assert_null(b.list[2]);
}

static void check_quoted(const char *word, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append(&text, "<"), 0);
        assert_int_equal(words_quote(&text, word), 0);
        assert_string_equal(text_string(&text) + 1, expected);
}

static void test_quotes_only_what_needs_it(void **state)
{
        (void)state;
        check_quoted("/usr/bin/x", "/usr/bin/x");
        check_quoted("--a=b,c:[d]{e}", "--a=b,c:[d]{e}");
        check_quoted("", "''");
        check_quoted("a b", "'a b'");
        check_quoted("it's", "'it'\\''s'");
        check_quoted("#x", "'#x'");
        check_quoted("a;b", "'a;b'");
        check_quoted("$x", "'$x'");
        check_quoted("a\\", "'a\\'");
        check_quoted("ä", "'ä'");
}

static void test_random_words_split_back(void **state)
{
        (void)state;
        static const char alphabet[] = "ab \t\n'\"\\;#=$\xc3\xa4";
        uint32_t random = 1;

        for (int round = 0; round < 2000; round++) {
                _cleanup_(words_clear) struct words words = {0}, back = {0};
                _cleanup_(text_clear) struct text text = {0};
                for (unsigned i = 0; i < (unsigned)round % 5; i++) {
                        char word[16] = "";
                        for (unsigned j = 0; j < (unsigned)(round + (int)i) % sizeof(word); j++) {
                                random = random * 1664525 + 1013904223;
                                if (j + 1 < sizeof(word))
                                        word[j] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
                        }
                        assert_int_equal(words_add(&words, word), 0);
                }
                assert_int_equal(words_join(&text, &words), 0);
                assert_int_equal(words_split(text_string(&text), &back), 0);
                assert_int_equal(back.count, words.count);
                for (size_t i = 0; i < words.count; i++)
                        assert_string_equal(back.list[i], words.list[i]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_splits),
                cmocka_unit_test(test_refuses_what_is_open),
                cmocka_unit_test(test_copies),
                cmocka_unit_test(test_quotes_only_what_needs_it),
                cmocka_unit_test(test_random_words_split_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
