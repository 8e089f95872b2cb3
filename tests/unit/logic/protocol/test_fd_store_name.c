#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "logic/protocol/fd_store_name.h"

static void check_name(const char *address, const char *expected)
{
        char name[FD_STORE_NAME_MAX];

        fd_store_name_format(address, name);
        assert_string_equal(name, expected);
        assert_true(fd_store_name_is_ours(name));
}

static void test_store_names(void **state)
{
        char first[109], second[109], first_name[FD_STORE_NAME_MAX], second_name[FD_STORE_NAME_MAX];

        (void)state;
        check_name("127.0.0.1:80", "preforkd/127.0.0.1%3A80");
        check_name("[fe80::1%eth0]:80", "preforkd/[fe80%3A%3A1%25eth0]%3A80");
        check_name("/run/x y.sock", "preforkd//run/x%20y.sock");
        check_name("@\xc3\xa4", "preforkd/@%C3%A4");
        assert_false(fd_store_name_is_ours("preforkd.socket"));
        memset(first, 0xc3, sizeof(first) - 1);
        first[sizeof(first) - 1] = '\0';
        memcpy(second, first, sizeof(first));
        second[sizeof(second) - 2] = '\x01';
        fd_store_name_format(first, first_name);
        fd_store_name_format(second, second_name);
        assert_true(strlen(first_name) < 256);
        assert_null(strchr(first_name, ':'));
        assert_string_not_equal(first_name, second_name);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_store_names),
        };

        return cmocka_run_group_tests_name("fd_store_name", tests, NULL, NULL);
}
