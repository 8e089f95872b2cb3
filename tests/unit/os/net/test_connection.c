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

/* A connection of the kind, and what accept(2) says of its peer. */
static void open_connection(const char *where, int *ret_listener, int *ret_client, int *ret_fd,
                            struct address *ret_peer)
{
        struct address address;
        int listener;

        assert_int_equal(address_parse(where, &address), 0);
        if (address.any.sa_family == AF_INET)
                address.in.sin_port = 0;
        listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, &address.any, address.length), 0);
        assert_int_equal(listen(listener, 8), 0);
        assert_int_equal(getsockname(listener, &address.any, &address.length), 0);
        assert_int_equal(connection_open(&address, 5, never, NULL, ret_client), 0);
        *ret_peer = (struct address){.length = sizeof(ret_peer->un)};
        *ret_fd = accept4(listener, &ret_peer->any, &ret_peer->length, SOCK_CLOEXEC);
        assert_true(*ret_fd >= 0);
        *ret_listener = listener;
}

static void check_identity(const char *where)
{
        const struct linger at_once = {.l_onoff = 1};
        struct address peer, other_peer;
        int listener, client, fd, other_listener, other_client, other;

        open_connection(where, &listener, &client, &fd, &peer);
        struct connection_id id = connection_identify(fd, &peer);
        assert_true(connection_is(fd, &id));
        _cleanup_(fd_closep) int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        assert_true(connection_is(copy, &id));
        assert_false(connection_is(client, &id));
        assert_false(connection_is(listener, &id) && peer.any.sa_family == AF_UNIX);
        close(listener);
        open_connection(where, &other_listener, &other_client, &other, &other_peer);
        assert_false(connection_is(other, &id));
        assert_int_equal(dup3(other, fd, O_CLOEXEC), fd); /* what the number is now */
        assert_false(connection_is(fd, &id));
        close(fd);
        assert_false(connection_is(fd, &id));
        int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_false(connection_is(null_fd, &id));
        setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(client); /* the client breaks it off */
        assert_true(connection_is(copy, &id));
        close(null_fd);
        close(other);
        close(other_client);
        close(other_listener);
}

static void test_identities(void **state)
{
        (void)state;
        check_identity("127.0.0.1:1");
        check_identity("@preforkd-test-identity");
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
        int listener = open_full(&target, &waiting);

        (void)state;
        assert_int_equal(connection_open(&target, 1, never, NULL, &fd), -ETIMEDOUT);
        close(waiting);
        close(listener);
}

static void test_signals(void **state)
{
        const struct sigaction action = {.sa_handler = on_alarm};
        const struct itimerval soon = {.it_value.tv_usec = 50000, .it_interval.tv_usec = 50000}, off = {0};
        struct address target;
        int waiting, fd = -1;
        int listener = open_full(&target, &waiting);

        (void)state;
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &soon, NULL);
        assert_int_equal(connection_open(&target, 20, at_once, NULL, &fd), -EINTR);
        setitimer(ITIMER_REAL, &off, NULL);
        close(waiting);
        close(listener);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_identities),
                cmocka_unit_test(test_nobody_listens),
                cmocka_unit_test(test_time_is_over),
                cmocka_unit_test(test_signals),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
