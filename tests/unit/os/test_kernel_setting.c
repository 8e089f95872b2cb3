/* Settings of the kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/kernel_setting.h"

#define UNTOUCHED 4242

static void test_number(void **state)
{
        (void)state;
        uint64_t value = UNTOUCHED;

        /* The kernel's default is 1,048,576, and the least it takes is the bits of a word. */
        assert_int_equal(kernel_setting_read("/proc/sys/fs/nr_open", &value), 0);
        assert_true(value >= 64 && value != UNTOUCHED);
}

static void test_what_is_no_number(void **state)
{
        (void)state;
        uint64_t value = UNTOUCHED;

        assert_int_equal(kernel_setting_read("/proc/sys/kernel/ostype", &value), -EINVAL);
        assert_int_equal(kernel_setting_read("/dev/null", &value), -EINVAL);
        assert_int_equal(kernel_setting_read("/proc/sys/fs/no_such_setting", &value), -ENOENT);
        assert_int_equal(value, UNTOUCHED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_number),
                cmocka_unit_test(test_what_is_no_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
