#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/unwanted_rights.h"
#include "os/net/passed_fd.h"

static void open_pair(int pair[static 2])
{
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void test_what_has_some_is_not_read(void **state)
{
        int pair[2];
        char bytes[8];

        (void)state;
        open_pair(pair);
        assert_int_equal(unwanted_rights_receive(pair[0], bytes, sizeof(bytes)), -EAGAIN);
        assert_int_equal(send(pair[1], "ab", 2, 0), 2);
        assert_int_equal(unwanted_rights_receive(pair[0], bytes, 1), 1);
        assert_int_equal(unwanted_rights_receive(pair[0], bytes, sizeof(bytes)), 1);
        assert_int_equal(passed_fd_send(pair[1], "c", 1, STDERR_FILENO), 0);
        assert_int_equal(send(pair[1], "d", 1, 0), 1);
        assert_int_equal(unwanted_rights_receive(pair[0], bytes, sizeof(bytes)), -EPROTO);
        assert_int_equal(unwanted_rights_receive(pair[0], bytes, sizeof(bytes)), -EPROTO); /* it is still there */
        assert_int_equal(recv(pair[0], bytes, sizeof(bytes), 0), 1);
        assert_int_equal(unwanted_rights_receive(pair[0], bytes, sizeof(bytes)), 1);
        close(pair[1]);
        assert_int_equal(unwanted_rights_receive(pair[0], bytes, sizeof(bytes)), 0);
        close(pair[0]);
}

/* The kernel joins what was sent without descriptors to what was sent with some after it. */
static void test_what_is_joined_has_some(void **state)
{
        int pair[2];
        char bytes[8];

        (void)state;
        open_pair(pair);
        assert_int_equal(send(pair[1], "a", 1, 0), 1);
        assert_int_equal(passed_fd_send(pair[1], "b", 1, STDERR_FILENO), 0);
        assert_int_equal(unwanted_rights_receive(pair[0], bytes, sizeof(bytes)), -EPROTO);
        assert_int_equal(recv(pair[0], bytes, sizeof(bytes), 0), 2);
        close(pair[0]);
        close(pair[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_has_some_is_not_read),
                cmocka_unit_test(test_what_is_joined_has_some),
        };

        return cmocka_run_group_tests_name("unwanted_rights", tests, NULL, NULL);
}
