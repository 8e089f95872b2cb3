#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "os/net/connection.h"

static bool never(const void *context)
{
        (void)context;
        return false;
}

static bool at_once(const void *context)
{
        (void)context;
        return true;
}

static void on_alarm(int number)
{
        (void)number;
}

/* A UNIX listener whose queue is full: connect(2) waits. */
static int open_full(struct address *ret, int *ret_waiting)
{
        char name[64];
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(name, sizeof(name), "@preforkd-test-connection-%d", getpid());
        assert_int_equal(address_parse(name, ret), 0);
        assert_int_equal(bind(listener, &ret->any, ret->length), 0);
        assert_int_equal(listen(listener, 0), 0);
        assert_int_equal(connection_open(ret, 1, never, NULL, ret_waiting), 0);
        return listener;
}

static void test_cookies(void **state)
{
        int fds[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        _cleanup_(fd_closep) int copy = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
        assert_true(connection_cookie(fds[0]) != 0);
        assert_int_equal(connection_cookie(fds[0]), connection_cookie(copy));
        assert_int_not_equal(connection_cookie(fds[0]), connection_cookie(fds[1]));
        close(fds[0]);
        assert_int_equal(connection_cookie(fds[0]), 0);
        close(fds[1]);
        assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), fds[0]);
        assert_int_equal(connection_cookie(fds[0]), 0);
        close(fds[0]);
}

static void test_nobody_listens(void **state)
{
        struct address target;
        int fd = -1;

        (void)state;
        assert_int_equal(address_parse("@preforkd-test-nobody", &target), 0);
        assert_int_equal(connection_open(&target, 1, never, NULL, &fd), -ECONNREFUSED);
        assert_int_equal(fd, -1);
}

static void test_time_is_over(void **state)
{
        struct address target;
        int waiting, fd = -1;
        _cleanup_(fd_closep) int listener = open_full(&target, &waiting);

        (void)state;
        assert_int_equal(connection_open(&target, 1, never, NULL, &fd), -ETIMEDOUT);
        close(waiting);
}

static void test_signals(void **state)
{
        const struct sigaction action = {.sa_handler = on_alarm};
        const struct itimerval soon = {.it_value.tv_usec = 50000, .it_interval.tv_usec = 50000}, off = {0};
        struct address target;
        int waiting, fd = -1;
        _cleanup_(fd_closep) int listener = open_full(&target, &waiting);

        (void)state;
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &soon, NULL);
        assert_int_equal(connection_open(&target, 20, at_once, NULL, &fd), -EINTR);
        setitimer(ITIMER_REAL, &off, NULL);
        close(waiting);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cookies),
                cmocka_unit_test(test_nobody_listens),
                cmocka_unit_test(test_time_is_over),
                cmocka_unit_test(test_signals),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
