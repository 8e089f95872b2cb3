/* What the arguments of an upgrade say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/protocol/take_over.h"

static int parse(struct take_over *ret, char *first, char *second)
{
        char *arguments[] = {first, second, NULL};
        int count = 0;

        while (count < 2 && arguments[count])
                count++;
        return take_over_parse(count, arguments, ret);
}

static char now[] = "--take-over=5", preflight[] = "--preflight=6", other[] = "-c", first[] = "--way-back=1:7:/a:b c",
            again[] = "--way-back=2:7:/a:b c", back[] = "--way-back=1:-1:";

static void test_parse(void **state)
{
        struct take_over found;

        (void)state;
        assert_int_equal(parse(&found, NULL, NULL), 0);
        assert_false(found.wanted);
        assert_int_equal(parse(&found, other, now), 0);
        assert_false(found.wanted);
        assert_int_equal(parse(&found, preflight, other), 1);
        assert_true(found.wanted && found.is_preflight && found.fd == 6 && found.previous_fd == -1);
        assert_int_equal(parse(&found, now, other), 1); /* a program from before there was a way back */
        assert_true(found.wanted && !found.is_preflight && found.fd == 5 && found.previous_fd == -1 && !found.is_back);
        assert_int_equal(parse(&found, now, first), 2);
        assert_true(found.fd == 5 && found.attempt == 1 && found.previous_fd == 7 && !found.is_back);
        assert_string_equal(found.previous_path, "/a:b c");
        assert_int_equal(parse(&found, now, again), 2);
        assert_true(found.attempt == 2 && found.previous_fd == 7 && !found.is_back);
        assert_int_equal(parse(&found, now, back), 2);
        assert_true(found.attempt == 1 && found.previous_fd == -1 && found.is_back);
}

static void test_what_is_wrong(void **state)
{
        char *const wrong[] = {(char[]){"--way-back="},      (char[]){"--way-back=1"},
                               (char[]){"--way-back=1:7"},   (char[]){"--way-back=0:7:/a"},
                               (char[]){"--way-back=x:7:/"}, (char[]){"--way-back=1:99999999999:/"},
                               (char[]){"--way-back=1:-2:/"}};
        struct take_over found;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                assert_int_equal(parse(&found, now, wrong[i]), -EINVAL);
                assert_false(found.wanted);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_what_is_wrong),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
