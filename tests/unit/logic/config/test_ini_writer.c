/* The INI writer: values that are wrapped between words and come back as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/words.h"
#include "logic/config/ini_reader.h"
#include "logic/config/ini_writer.h"
#include "unit/config_helpers.h"

static int on_section(void *context, const char *name, struct ini_place place)
{
        (void)context;
        (void)name;
        (void)place;
        return 0;
}

static int keep_value(void *context, const char *key, const char *value, struct ini_place place)
{
        (void)key;
        (void)place;
        assert_non_null(value);
        return text_append(context, value);
}

/* The worst case: every word that could be a key is one. */
static bool is_key(const char *word)
{
        (void)word;
        return true;
}

static void check_lines(const char *text)
{
        while (*text != '\0') {
                size_t length = strcspn(text, "\n");
                /* A line past the column where lines are wrapped has one word alone. */
                assert_true(length <= 120 || strncmp(text, "        ", 8) == 0);
                text += length + 1;
        }
}

static void check_comes_back(const struct words *words)
{
        _cleanup_(text_clear) struct text value = {0}, text = {0}, back = {0};
        _cleanup_(words_clear) struct words words_back = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct ini_events functions = {
                .context = &back, .section = on_section, .value = keep_value, .is_key = is_key};

        assert_int_equal(words_join(&value, words), 0);
        assert_int_equal(text_append(&text, "[a]\n"), 0);
        assert_int_equal(ini_write_value(&text, "some_key", text_string(&value)), 0);
        check_lines(text_string(&text));
        assert_int_equal(ini_read(&functions, "f", text.bytes, text.length, false, &problems), 0);
        assert_problems(&problems, "");
        assert_int_equal(words_split(text_string(&back), &words_back), 0);
        assert_int_equal(words_back.count, words->count);
        for (size_t i = 0; i < words->count; i++)
                assert_string_equal(words_back.list[i], words->list[i]);
}

static void test_short_values_stay_on_a_line(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(ini_write_value(&text, "key", "'a b' c"), 0);
        assert_int_equal(ini_write_value(&text, "none", ""), 0);
        assert_string_equal(text_string(&text), "key = 'a b' c\nnone =\n");
        assert_int_equal(ini_write_value(&text, "key", "'open"), -EINVAL);
}

static void test_words_of_every_length_come_back(void **state)
{
        (void)state;
        static const char *const fillings[] = {"x", "'", "ä", "; ", "=", "\\", "#"};

        for (size_t f = 0; f < ELEMENTS(fillings); f++)
                for (size_t length = 0; length < 450; length += length < 150 ? 7 : 1) {
                        _cleanup_(words_clear) struct words words = {0};
                        _cleanup_(text_clear) struct text word = {0};
                        while (word.length < length)
                                assert_int_equal(text_append(&word, fillings[f]), 0);
                        assert_int_equal(words_add(&words, "first"), 0);
                        assert_int_equal(words_add(&words, text_string(&word)), 0);
                        assert_int_equal(words_add(&words, "user=x"), 0);
                        check_comes_back(&words);
                }
}

static void test_very_long_words_come_back(void **state)
{
        (void)state;
        static const size_t lengths[] = {10, 4096, 1 << 20};

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                _cleanup_(words_clear) struct words words = {0};
                _cleanup_(text_clear) struct text word = {0};
                while (word.length < lengths[i])
                        assert_int_equal(text_append(&word, "a 'ü;"), 0);
                assert_int_equal(words_add(&words, text_string(&word)), 0);
                check_comes_back(&words);
        }
}

static void test_long_words_stay_whole(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text value = {0}, text = {0}, expected = {0};

        assert_int_equal(text_appendf(&value, "short %0300d user", 7), 0);
        assert_int_equal(text_appendf(&expected, "key = short\n        '%0300d'\n        'user'\n", 7), 0);
        assert_int_equal(ini_write_value(&text, "key", text_string(&value)), 0);
        assert_string_equal(text_string(&text), text_string(&expected));
}

static void test_random_words_come_back(void **state)
{
        (void)state;
        static const char *const pieces[] = {"a",  "=", ";", " ;", "#", " #",   "'",           "\"", "\\", " ",
                                             "\t", "[", "]", "ü",  "😀", "user", "max_workers", "/",  ":",  "$"};
        uint32_t random = 3;

        for (int round = 0; round < 1000; round++) {
                _cleanup_(words_clear) struct words words = {0};
                for (int i = 0; i < round % 12; i++) {
                        _cleanup_(text_clear) struct text word = {0};
                        for (int j = 0; j < (round * (i + 1)) % 60; j++) {
                                random = random * 1664525 + 1013904223;
                                assert_int_equal(text_append(&word, pieces[(random >> 16) % ELEMENTS(pieces)]), 0);
                        }
                        assert_int_equal(words_add(&words, text_string(&word)), 0);
                }
                check_comes_back(&words);
        }
}

static void test_directives(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(ini_write_line_directive(&text, (struct ini_place){.file = "/etc/a \"b\\\n", .line = 12}), 0);
        assert_int_equal(ini_write_line_directive(&text, (struct ini_place){0}), 0);
        assert_string_equal(text_string(&text), "#line 12 \"/etc/a \\\"b\\\\\\n\"\n#line 0 \"\"\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_short_values_stay_on_a_line),
                cmocka_unit_test(test_words_of_every_length_come_back),
                cmocka_unit_test(test_very_long_words_come_back),
                cmocka_unit_test(test_long_words_stay_whole),
                cmocka_unit_test(test_random_words_come_back),
                cmocka_unit_test(test_directives),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
