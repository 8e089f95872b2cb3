/* Environment files: the syntax of systemd.exec(5), EnvironmentFile=, and what is no variable of a handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/environment_file.h"
#include "unit/config_helpers.h"

/* `expected`: the variables as quoted words; `problems`: what is wrong. */
static void check(const char *bytes, size_t length, const char *expected, const char *expected_problems)
{
        _cleanup_(words_clear) struct words words = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(environment_file_parse("f", bytes, length, &words, &problems), 0);
        assert_int_equal(words_join(&text, &words), 0);
        assert_string_equal(text_string(&text), expected);
        assert_problems(&problems, expected_problems);
}

static void check_good(const char *string, const char *expected)
{
        check(string, strlen(string), expected, "");
}

static void check_bad(const char *string, const char *problem)
{
        check(string, strlen(string), "", problem);
}

static void test_lines(void **state)
{
        (void)state;
        check_good("", "");
        check_good("\n \n# comment\n  ; comment = x\n", "");
        check_good("A=1", "A=1");
        check_good("A=1\nB=2\r\nA=3\n", "A=1 B=2 A=3");
        check_good("  A =  1  \n", "A=1");
        check_good("A=\nB=2", "A= B=2");
        check_good("A=x # no comment", "'A=x # no comment'");
        check_good("A=b=c", "A=b=c");
}

static void test_quotes(void **state)
{
        (void)state;
        check_good("A=' two  words '\n", "'A= two  words '");
        check_good("A=\"a \\\" \\\\ \\$ \\` \\n\"", "'A=a \" \\ $ ` \\n'");
        check_good("A='a\\'\n", "'A=a\\'");
        check_good("A=\"a\"'b' c \n", "A=abc");
        check_good("A=b\"c\"d", "'A=b\"c\"d'"); /* quotes in the middle are nothing special */
        check_good("A=\"# x\"\n#B=1\nC=2", "'A=# x' C=2");
}

static void test_backslashes(void **state)
{
        (void)state;
        check_good("A=a\\\nb\nB=1", "A=ab B=1");
        check_good("A=\"a\\\nb\"\nB=1", "A=ab B=1");
        check_good("A=a\\ \\\\\\x  ", "'A=a \\x'");
        check_good("A=a\\ ", "'A=a '");
        check_good("A=a\\", "A=a");
        check_good("# comment \\\nA=1", "A=1");
}

static void test_what_is_wrong(void **state)
{
        (void)state;
        check_bad("A", "f:1: no variable; expected NAME=VALUE, or # and a comment");
        check_bad("\n=x\n", "f:2: no variable; expected NAME=VALUE, or # and a comment");
        check_bad("export A=secret", "f:1: no variable; expected NAME=VALUE, or # and a comment");
        check_bad("1A=secret", "f:1: no variable; expected NAME=VALUE, or # and a comment");
        check_bad("\n\nA='secret\n", "f:3: A has a quote that is not closed");
        check_bad("A=\"a\nb\"", "f:1: A has a value of several lines; expected one line");
        check_bad("A=a\001b", "f:1: A has a value with control characters, or that is not UTF-8 text");
        check_bad("A=\377", "f:1: A has a value with control characters, or that is not UTF-8 text");
        check_bad("REMOTE_ADDR=x", "f:1: REMOTE_ADDR is set by preforkd for every connection; expected another name");
        check("A\nB=1\n=\nC=2\\\n3\nD\n", 17, "B=1 C=23",
              "f:1: no variable; expected NAME=VALUE, or # and a comment\n"
              "f:3: no variable; expected NAME=VALUE, or # and a comment\n"
              "f:6: no variable; expected NAME=VALUE, or # and a comment");
        check("A=\0B=1", 6, "", "f:1: A has a value with control characters, or that is not UTF-8 text");
        check("A\0B=1", 5, "", "f:1: no variable; expected NAME=VALUE, or # and a comment");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_quotes),
                cmocka_unit_test(test_backslashes),
                cmocka_unit_test(test_what_is_wrong),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
