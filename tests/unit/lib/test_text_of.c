/* What signals and errors are called: as libc says it. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/text_of.h"

static void test_signals(void **state)
{
        (void)state;
        for (int number = 1; number <= 70; number++) {
                char text[64];
                struct line line = line_begin(text, sizeof(text));
                if (number == 32 || number == 33) /* libc's own */
                        continue;
                text_of_signal(&line, number);
                assert_string_equal(text, strsignal(number));
        }
}

static void test_errors(void **state)
{
        static const int known[] = {EPERM, ENOENT, EAGAIN, ENOMEM, EACCES, EINVAL, ENFILE, EMFILE, ENOBUFS, ENOTSOCK};
        unsigned unknown = 0;

        (void)state;
        for (int error = 1; error <= 133; error++) {
                char text[64], number[64];
                struct line line = line_begin(text, sizeof(text)), other = line_begin(number, sizeof(number));
                text_of_error(&line, error);
                line_add(&other, "error ");
                line_add_number(&other, (uint64_t)error);
                if (strcmp(text, number) == 0)
                        unknown++;
                else
                        assert_string_equal(text, strerror(error));
                for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                        assert_true(known[i] != error || strcmp(text, number) != 0);
        }
        assert_true(unknown < 133);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_signals),
                cmocka_unit_test(test_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
