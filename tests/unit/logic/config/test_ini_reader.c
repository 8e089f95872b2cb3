/* The INI reader: what it takes, and that everything else is refused with its line, never cut or guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/ini_reader.h"
#include "unit/config_helpers.h"

/* Events as text: `[section]@line` and `key=<value>@line`, each on a line of its own. */
static int on_section(void *context, const char *name, struct ini_place place)
{
        return text_appendf(context, "[%s]@%u\n", name, place.line);
}

static int on_value(void *context, const char *key, const char *value, struct ini_place place)
{
        if (!value)
                return text_appendf(context, "%s refused@%u\n", key, place.line);
        return text_appendf(context, "%s=<%s>@%u\n", key, value, place.line);
}

static bool is_key(const char *word)
{
        return text_equal(word, "user") || text_equal(word, "max_workers");
}

static void check_bytes(const char *bytes, size_t length, const char *expected_events, const char *expected_problems)
{
        _cleanup_(text_clear) struct text events = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct ini_events functions = {
                .context = &events, .section = on_section, .value = on_value, .is_key = is_key};

        assert_int_equal(ini_read(&functions, "f", bytes, length, false, &problems), 0);
        assert_problems(&problems, expected_problems);
        assert_string_equal(text_string(&events), expected_events);
}

static void check(const char *string, const char *expected_events, const char *expected_problems)
{
        check_bytes(string, strlen(string), expected_events, expected_problems);
}

/* The line stands alone in a section, behind a good key, and is refused with this text. */
static void check_refused(const char *line, const char *expected)
{
        _cleanup_(text_clear) struct text events = {0}, text = {0}, shown = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct ini_events functions = {
                .context = &events, .section = on_section, .value = on_value, .is_key = is_key};

        assert_int_equal(text_appendf(&text, "[s]\ngood = 1\n\n%s\n\nafter = 2\n", line), 0);
        assert_int_equal(ini_read(&functions, "f", text.bytes, text.length, false, &problems), 0);
        problems_to_text(&problems, &shown);
        assert_int_equal(problems.count, 1);
        if (!text_starts_with(text_string(&shown), "f:4: ") || !strstr(text_string(&shown), expected))
                fail_msg("line <%s>: got <%s>, expected <%s>", line, text_string(&shown), expected);
        assert_true(text_starts_with(text_string(&events), "[s]@1\ngood=<1>@2\n"));
        assert_null(strstr(text_string(&events), "=<>"));
        assert_non_null(strstr(text_string(&events), "after=<2>@6\n"));
}

static void test_takes_ordinary_files(void **state)
{
        (void)state;
        check("", "", "");
        check("\n\n  \t\n", "", "");
        check("# c\n; c\n  # c\n[a]\nk = v\nk2=v2\n  # c\n\n[b-1.c_d]\nx\t=\ty z \n",
              "[a]@4\nk=<v>@5\nk2=<v2>@6\n[b-1.c_d]@9\nx=<y z>@10\n", "");
        check("[a]\nk =\nl = \n", "[a]@1\nk=<>@2\nl=<>@3\n", "");
        check("[a] ; why\nk = v ; why\nl = a;b\nm = ;all\n", "[a]@1\nk=<v>@2\nl=<a;b>@3\nm=<>@4\n", "");
        check("[a]\nk = x=y : z\n", "[a]@1\nk=<x=y : z>@2\n", "");
        check("[a]\nk = last line without its end", "[a]@1\nk=<last line without its end>@2\n", "");
        check("\xef\xbb\xbf[a]\r\nk = v\r\n", "[a]@1\nk=<v>@2\n", ""); /* as some editors save */
        check("[a]\nk = Grüße\n# Gr\xfc\xdf"
              "e in a comment\n",
              "[a]@1\nk=<Grüße>@2\n", "");
        check("[empty]\n[empty]\n", "[empty]@1\n[empty]@2\n", ""); /* what this means is the caller's business */
}

static void test_quotes_protect(void **state)
{
        (void)state;
        check("[a]\nk = 'a ; b' \"c ; d\" ; e\n", "[a]@1\nk=<'a ; b' \"c ; d\">@2\n", "");
        check("[a]\nk = ' # '\n", "[a]@1\nk=<' # '>@2\n", "");
        check("[a]\nk = \"a \\\" ; b\" c\n", "[a]@1\nk=<\"a \\\" ; b\" c>@2\n", "");
        check("[a]\nk = 'a\\' b\n", "[a]@1\nk=<'a\\' b>@2\n", "");
        check("[a]\nk = a \\; b\n", "[a]@1\nk=<a \\; b>@2\n", "");
        check("[a]\nk = '  '\n", "[a]@1\nk=<'  '>@2\n", "");
        check("[a]\nk = \\ x\\ y\n", "[a]@1\nk=<\\ x\\ y>@2\n", "");
        check("[a]\nk = 'a\tb'\n", "[a]@1\nk=<'a\tb'>@2\n", "");
        check("[a]\nk = \\# it\\'s\n", "[a]@1\nk=<\\# it\\'s>@2\n", "");
}

static void test_values_go_on(void **state)
{
        (void)state;
        check("[a]\nk = one\n  two ; c\n\tthree\nl = x\n", "[a]@1\nk=<one two three>@2\nl=<x>@5\n", "");
        check("[a]\nk =\n  one\n  two\n", "[a]@1\nk=<one two>@2\n", "");
        check("[a]\nk = one\n  # a comment between\n; another\n  two\n", "[a]@1\nk=<one two>@2\n", "");
        check("[a]\nk = 'one'\\\n  'two'\n", "[a]@1\nk=<'one''two'>@2\n", "");
        check("[a]\nk = one \\\n  two \\\n  three\n", "[a]@1\nk=<one two three>@2\n", "");
        check("[a]\nk = \\\n  one\n", "[a]@1\nk=<one>@2\n", "");
        check("[a]\nk = x\\\\\n  y\n", "[a]@1\nk=<x\\\\ y>@2\n", ""); /* an escaped backslash joins nothing */
        check("[a]\nk = [::1]:80\n  [::2]:80\n  A=1\n", "[a]@1\nk=<[::1]:80 [::2]:80 A=1>@2\n", "");
        check("[a]\nk = a\n  'user=x' 'c ; d'\n", "[a]@1\nk=<a 'user=x' 'c ; d'>@2\n", "");
}

static void test_a_long_value_is_whole(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0}, expected = {0};

        assert_int_equal(text_append(&text, "[a]\nk = "), 0);
        assert_int_equal(text_append(&expected, "[a]@1\nk=<"), 0);
        for (int i = 0; i < 500; i++) {
                assert_int_equal(text_appendf(&text, "%s%0150d\\\n", i > 0 ? " " : "", i), 0);
                assert_int_equal(text_appendf(&expected, "%0150d", i), 0);
        }
        assert_int_equal(text_append(&text, " end\n"), 0);
        assert_int_equal(text_append(&expected, "end>@2\n"), 0);
        check(text_string(&text), text_string(&expected), "");
}

/* `length` bytes made of repetitions of `filling`; whole ones, so the result may be a little longer. */
static void fill(struct text *text, const char *filling, size_t length)
{
        size_t end = text->length + length;

        while (text->length < end)
                assert_int_equal(text_append(text, filling), 0);
}

/* `key = VALUE` on one line, and the value continued on a line of the same length, come back as they were written. */
static void check_long_value(const char *key, const char *value)
{
        _cleanup_(text_clear) struct text text = {0}, expected = {0};

        assert_int_equal(text_appendf(&text, "[a]\n%s = %s ; comment\n        %s\nnext = 1\n", key, value, value), 0);
        assert_int_equal(text_appendf(&expected, "[a]@1\n%s=<%s %s>@2\nnext=<1>@4\n", key, value, value), 0);
        check(text_string(&text), text_string(&expected), "");
}

/* Lines that libinih's buffer does not hold reach it in pieces. Whatever stands at the border of two pieces is kept:
 * blanks, comment characters, parts of a UTF-8 character, quotes and backslashes. */
static void test_lines_of_any_length(void **state)
{
        (void)state;
        static const size_t lengths[] = {10,  190, 191, 192, 193, 194, 195, 196, 197, 198,  199,
                                         200, 201, 202, 203, 398, 399, 400, 401, 402, 4096, 1 << 20};
        static const char *const fillings[] = {"x", "ä", "😀",      "a ",     "a\t",  "a;",   "a#",  "=",      ":",
                                               "[", "]", "a \\; ", "a \\# ", "\\\\", "\\\"", "';'", "' # ; '"};

        for (size_t l = 0; l < ELEMENTS(lengths); l++)
                for (size_t f = 0; f < ELEMENTS(fillings); f++) {
                        _cleanup_(text_clear) struct text value = {0}, quoted = {0};
                        fill(&value, fillings[f], lengths[l]);
                        assert_int_equal(text_append(&value, "x"), 0);
                        check_long_value("k", text_string(&value));
                        assert_int_equal(text_append(&quoted, "'"), 0);
                        for (const char *at = text_string(&value); *at != '\0'; at++)
                                assert_int_equal(text_append_bytes(&quoted, *at == '\'' ? "\"" : at, 1), 0);
                        assert_int_equal(text_append(&quoted, "'"), 0);
                        check_long_value("other_key", text_string(&quoted));
                }
}

static void test_blanks_of_any_length(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text blanks = {0}, text = {0}, expected = {0};

        fill(&blanks, " \t", 1000);
        const char *b = text_string(&blanks);
        assert_int_equal(text_appendf(&text, "[a]\nk%s=%sx%sy%s; c\n%sz%s\r\nl = '%s'%s\n%s\n# c%s\n", b, b, b, b, b, b,
                                      b, b, b, b),
                         0);
        assert_int_equal(text_appendf(&expected, "[a]@1\nk=<x%sy z>@2\nl=<'%s'>@4\n", b, b), 0);
        check(text_string(&text), text_string(&expected), "");
}

static void test_problems_of_long_lines(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text line = {0};

        fill(&line, "[a]\nk = ", 1);
        fill(&line, "x", 5000);
        assert_int_equal(text_append(&line, " # y\nl = '\n"), 0);
        check(text_string(&line), "[a]@1\nk refused@2\nl refused@3\n",
              "f:2: '#' starts a comment only at the start of a line; "
              "use ';' after a value, or quotes if it belongs to the value\n"
              "f:3: the quote ' is not closed on this line");
}

/* Names of any length are handed on, for the caller does not know them; problems show their beginning. */
static void test_names_of_any_length(void **state)
{
        (void)state;
        static const size_t lengths[] = {1, 48, 49, 50, 51, 197, 198, 199, 200, 201, 1 << 20};

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                _cleanup_(text_clear) struct text name = {0}, text = {0}, expected = {0};
                fill(&name, "n", lengths[i]);
                const char *n = text_string(&name);
                assert_int_equal(text_appendf(&text, "[%s]\n%s = 1\n  2\n%sx = 3\n", n, n, n), 0);
                assert_int_equal(text_appendf(&expected, "[%s]@1\n%s=<1 2>@2\n%sx=<3>@4\n", n, n, n), 0);
                check(text_string(&text), text_string(&expected), "");
        }

        _cleanup_(text_clear) struct text name = {0}, text = {0};
        fill(&name, "n", 81);
        assert_int_equal(text_appendf(&text, "%s = 1\n", text_string(&name)), 0);
        name.bytes[80] = '\0';
        char expected[300];
        snprintf(expected, sizeof(expected), "f:1: %s…: no section above; expected [preforkd] or [POOL] first",
                 name.bytes);
        check(text_string(&text), "", expected);
        snprintf(expected, sizeof(expected), "':' does not separate a key from its value here; expected '%s… = ...'",
                 name.bytes);
        text_truncate(&text);
        assert_int_equal(text_appendf(&text, "%sn: 1", name.bytes), 0);
        check_refused(text_string(&text), expected);
}

static void test_refuses_lines_that_are_nothing(void **state)
{
        (void)state;
        static const struct {
                const char *line, *problem;
        } cases[] = {
                {"word", "expected 'key = value', '[section]' or a comment"},
                {"two words = 1", "expected 'key = value'"},
                {"= 1", "expected 'key = value'"},
                {"k += 1", "expected 'key = value'"},
                {"'k' = 1", "expected 'key = value'"},
                {"kéy = 1", "expected 'key = value'"},
                {"k: 1", "':' does not separate a key from its value here; expected 'k = ...'"},
                {"k : a = b", "expected 'k = ...'"},
                {"[a", "no ']' after the section name"},
                {"[]", "the section has no name"},
                {"[ a ]", "\" a \" is not a name"},
                {"[a b]", "\"a b\" is not a name"},
                {"[a ;b]", "\"a ;b\" is not a name"},
                {"[ä]", "is not a name"},
                {"[a] x", "text after ']'"},
                {"[a];x", "text after ']'"},
                {"[a]]", "text after ']'"},
                {"k = 'a", "the quote ' is not closed on this line"},
                {"k = \"a'", "the quote \" is not closed on this line"},
                {"k = 'a ; b", "the quote ' is not closed on this line"},
                {"k = it's", "the quote ' is not closed on this line"},
                {"k = a # b", "'#' starts a comment only at the start of a line"},
                {"k = #b", "'#' starts a comment only at the start of a line"},
                {"k = a \\  ", "blanks follow the backslash at the end of the line"},
                {"k = a\\", "k: the last line ends in a backslash, but no indented line follows"},
                {"k = a\x01", "byte 6 is a control character (0x01)"},
                {"k = a\rb", "byte 6 is a control character (0x0d)"},
                {"k\v = a", "is a control character (0x0b)"},
                {"k = \x7f", "byte 5 is a control character (0x7f)"},
                {"k = \xe4", "byte 5 (0xe4) is not UTF-8 text"},
                {"k = a\xc0\xaf", "byte 6 (0xc0) is not UTF-8 text"},
                {"# a\x1b[2J", "byte 4 is a control character (0x1b)"},
                {"  x", "an indented line, but no value directly above"},
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                check_refused(cases[i].line, cases[i].problem);
}

static void test_refuses_nul(void **state)
{
        (void)state;
        static const char bytes[] = "[a]\nk = 1\0 2\n";

        check_bytes(bytes, sizeof(bytes) - 1, "[a]@1\nk refused@2\n", "f:2: byte 6 is a control character (0x00)");
}

static void test_refuses_keys_before_any_section(void **state)
{
        (void)state;
        check("k = 1\n  more\n[a]\nl = 2\n", "[a]@3\nl=<2>@4\n",
              "f:1: k: no section above; expected [preforkd] or [POOL] first");
}

static void test_indented_lines_must_continue_something(void **state)
{
        (void)state;
        static const char lost[] = "an indented line, but no value directly above that it could continue";
        char expected[200];

        snprintf(expected, sizeof(expected), "f:4: %s", lost);
        check("[a]\nk = 1\n\n  x\n  y\n", "[a]@1\nk=<1>@2\n", expected); /* once, not for every line */
        snprintf(expected, sizeof(expected), "f:2: %s", lost);
        check("[a]\n  x\nk = 1\n", "[a]@1\nk=<1>@3\n", expected);
}

/* People indent the keys of a section: what is not indented further than the key above is no continuation of it. */
static void test_keys_may_be_indented(void **state)
{
        (void)state;
        check("[a]\n  k = 1\n  l = 2\n", "[a]@1\nk=<1>@2\nl=<2>@3\n", "");
        check("[a]\n  k = 1\n    2 = x\n  l = 2\nm = 3\n", "[a]@1\nk=<1 2 = x>@2\nl=<2>@4\nm=<3>@5\n", "");
        check("[a]\n\tk = 1\n\t user = x\n", "[a]@1\nk refused@2\n",
              "f:3: this indented line continues k, but looks like the key user; "
              "remove the indentation, or put the word in quotes");
        check("  [a]\n    k = 1\n  [b]\n    l = 2\n", "[a]@1\nk=<1>@2\n[b]@3\nl=<2>@4\n", "");
        check("[a]\n  k = 1 \\\n  l = 2\n", "[a]@1\nk=<1 l = 2>@2\n", "");
        check("[a]\n  k = 'x\n  l = 2\n", "[a]@1\nk refused@2\nl=<2>@3\n",
              "f:2: the quote ' is not closed on this line");
        check("[a]\nk = 1\n\n  l = 2\n", "[a]@1\nk=<1>@2\nl=<2>@4\n", "");
}

static void test_accidental_indentation_is_told(void **state)
{
        (void)state;
        check("[a]\nk = 1\n  user = www\nl = 2\n", "[a]@1\nk refused@2\nl=<2>@4\n",
              "f:3: this indented line continues k, but looks like the key user; "
              "remove the indentation, or put the word in quotes");
        check("[a]\nk = 1\n  other = www\n", "[a]@1\nk=<1 other = www>@2\n", "");
        check("[a]\nk = 1\n  [b]\n", "[a]@1\nk refused@2\n",
              "f:3: this indented line continues k, but looks like a section; "
              "remove the indentation, or put it in quotes");
}

static void test_a_refused_line_takes_its_value_along(void **state)
{
        (void)state;
        /* What continues a refused line is neither part of the key above nor reported again. */
        check("[a]\nk = 1\nl = 'open\n  more\n  user = x\nm = 2\n", "[a]@1\nk=<1>@2\nl refused@3\nm=<2>@6\n",
              "f:3: the quote ' is not closed on this line");
        /* A bad continuation refuses the whole value: half of it would be another value. */
        check("[a]\nk = 1\n  'open\n  more\nm = 2\n", "[a]@1\nk refused@2\nm=<2>@5\n",
              "f:3: the quote ' is not closed on this line");
        check("[a]\nk = 1\n  \\\n  more\n", "[a]@1\nk refused@2\n", "f:3: no value before the backslash");
        /* Keys below a refused section belong to nothing, but have a section above. */
        check("[a]\nk = 1\n[b\nl = 2\n", "[a]@1\nk=<1>@2\n[]@3\nl=<2>@4\n", "f:3: no ']' after the section name");
}

static void test_a_backslash_wants_a_line_below(void **state)
{
        (void)state;
        static const char lost[] = "k: the last line ends in a backslash, but no indented line follows";
        char expected[200];

        snprintf(expected, sizeof(expected), "f:2: %s", lost);
        check("[a]\nk = 1 \\\nl = 2\n", "[a]@1\nk refused@2\nl=<2>@3\n", expected);
        check("[a]\nk = 1 \\\n[b]\n", "[a]@1\nk refused@2\n[b]@3\n", expected);
        check("[a]\nk = 1 \\", "[a]@1\nk refused@2\n", expected);
        check("[a]\nk = 1 \\\n\n  2\n", "[a]@1\nk refused@2\n",
              "f:2: k: the last line ends in a backslash, but no indented line follows\n"
              "f:4: an indented line, but no value directly above that it could continue");
}

static int on_value_with_file(void *context, const char *key, const char *value, struct ini_place place)
{
        return text_appendf(context, "%s=<%s>@%s:%u\n", key, value, place.file ? place.file : "(none)", place.line);
}

static void test_line_directives(void **state)
{
        (void)state;
        static const char text[] = "[a]\n#line 7 \"x \\\"y\\\\\\nz.conf\"\nk = 1\nl = 2\n#line 0 \"\"\nm = 3\n"
                                   "#line 3 \"q\"\nn = 'open\n";
        _cleanup_(text_clear) struct text events = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct ini_events functions = {
                .context = &events, .section = on_section, .value = on_value_with_file, .is_key = is_key};

        assert_int_equal(ini_read(&functions, "f", text, strlen(text), true, &problems), 0);
        assert_problems(&problems, "q:3: the quote ' is not closed on this line");
        assert_string_equal(text_string(&events), "[a]@1\nk=<1>@x \"y\\\nz.conf:7\nl=<2>@x \"y\\\nz.conf:8\n"
                                                  "m=<3>@(none):0\nn=<(null)>@q:3\n");
}

static void test_line_directives_need_the_flag(void **state)
{
        (void)state;
        check("[a]\n#line 7 \"x\"\nk = 1\n", "[a]@1\nk=<1>@3\n", "");
}

static void test_other_line_comments_are_comments(void **state)
{
        (void)state;
        static const char *const comments[] = {
                "#line",      "#line 7",     "#line x \"f\"",           "#line 7 f\"",
                "#line 7 \"", "#line \"f\"", "#line 99999999999 \"f\"", "#lines of code \"f\""};

        for (size_t i = 0; i < ELEMENTS(comments); i++) {
                _cleanup_(text_clear) struct text events = {0}, text = {0};
                _cleanup_(problem_list_clear) struct problem_list problems = {0};
                const struct ini_events functions = {
                        .context = &events, .section = on_section, .value = on_value_with_file, .is_key = is_key};
                assert_int_equal(text_appendf(&text, "[a]\n%s\nk = 1\n", comments[i]), 0);
                assert_int_equal(ini_read(&functions, "g", text.bytes, text.length, true, &problems), 0);
                assert_string_equal(text_string(&events), "[a]@1\nk=<1>@g:3\n");
        }
}

/* Whatever the bytes: no crash, and every byte of a value that is handed on was in the file. */
static void test_random_bytes(void **state)
{
        (void)state;
        static const char section[] = {'[', 'a', ']', '\n'};
        static const char alphabet[] = "ab=[]'\"\\;#: \t\n\n\n\r\x01\xc3\xa4";
        uint32_t random = 7;

        for (int round = 0; round < 3000; round++) {
                char bytes[120];
                for (size_t i = 0; i < sizeof(bytes); i++) {
                        random = random * 1664525 + 1013904223;
                        bytes[i] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
                }
                memcpy(bytes, section, sizeof(section));
                _cleanup_(text_clear) struct text events = {0};
                _cleanup_(problem_list_clear) struct problem_list problems = {0};
                const struct ini_events functions = {
                        .context = &events, .section = on_section, .value = on_value, .is_key = is_key};
                assert_int_equal(ini_read(&functions, "f", bytes, sizeof(bytes), round % 2, &problems), 0);
                assert_null(strpbrk(text_string(&events), "\001\002\003\004\r"));
                for (size_t i = 0; i < problems.count; i++)
                        assert_null(strstr(problems.items[i].text, "libinih"));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_takes_ordinary_files),
                cmocka_unit_test(test_quotes_protect),
                cmocka_unit_test(test_values_go_on),
                cmocka_unit_test(test_a_long_value_is_whole),
                cmocka_unit_test(test_lines_of_any_length),
                cmocka_unit_test(test_blanks_of_any_length),
                cmocka_unit_test(test_problems_of_long_lines),
                cmocka_unit_test(test_names_of_any_length),
                cmocka_unit_test(test_refuses_lines_that_are_nothing),
                cmocka_unit_test(test_refuses_nul),
                cmocka_unit_test(test_refuses_keys_before_any_section),
                cmocka_unit_test(test_indented_lines_must_continue_something),
                cmocka_unit_test(test_keys_may_be_indented),
                cmocka_unit_test(test_accidental_indentation_is_told),
                cmocka_unit_test(test_a_refused_line_takes_its_value_along),
                cmocka_unit_test(test_a_backslash_wants_a_line_below),
                cmocka_unit_test(test_line_directives),
                cmocka_unit_test(test_line_directives_need_the_flag),
                cmocka_unit_test(test_other_line_comments_are_comments),
                cmocka_unit_test(test_random_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
