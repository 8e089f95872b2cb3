#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "worker/own_fds.h"

static int open_null(void)
{
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void test_who_is_ours(void **state)
{
        struct own_fds own = {0};

        (void)state;
        own_fds_add(&own, -1);
        own_fds_add(&own, 0);
        own_fds_add(&own, 64);
        own_fds_add(&own, OWN_FDS_MAX - 1);
        own_fds_add(&own, OWN_FDS_MAX);
        for (int fd = -1; fd <= OWN_FDS_MAX; fd++)
                assert_int_equal(own_fds_has(&own, fd), fd == 0 || fd == 64 || fd == OWN_FDS_MAX - 1);
}

static void test_settling(void **state)
{
        int none = -1, low = open_null(), high = fcntl(low, F_DUPFD_CLOEXEC, 100), was = high;

        (void)state;
        assert_int_equal(own_fds_settle(&none), 0);
        assert_int_equal(none, -1);
        assert_int_equal(own_fds_settle(&high), 0);
        assert_true(high < was && high > low);
        assert_true(fcntl(high, F_GETFD) == FD_CLOEXEC);
        assert_true(fcntl(was, F_GETFD) < 0);
        was = low;
        assert_int_equal(own_fds_settle(&low), 0);
        assert_int_equal(low, was);
        assert_true(fcntl(low, F_GETFD) >= 0);
        close(low);
        close(high);
}

static void test_stepping_aside(void **state)
{
        struct own_fds own = {0};
        int fd = open_null();

        (void)state;
        own_fds_add(&own, fd);
        own_fds_add(&own, fd + 7);
        int moved = own_fds_step_aside(&own, fd);
        assert_true(moved > fd + 7);
        assert_true(fcntl(fd, F_GETFD) < 0);
        assert_true(fcntl(moved, F_GETFD) == FD_CLOEXEC);
        close(moved);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_who_is_ours),
                cmocka_unit_test(test_settling),
                cmocka_unit_test(test_stepping_aside),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
