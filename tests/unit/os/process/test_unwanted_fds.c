#include <signal.h>
#include <sys/wait.h>

#include "os/net/passed_fd.h"
#include "os/process/unwanted_fds.h"
#include "unit/socket_helpers.h"

#define CLIENT_MS 10000
#define PATIENCE_S 60 /* whoever waits for a linger time is ended by SIGALRM */

/* A connection whose last close takes an hour while the other side is open, and does not read. */
struct lingering {
        int fd, other_fd;
};

static struct lingering open_lingering(void)
{
        static const struct linger hour = {.l_onoff = 1, .l_linger = 3600};
        static const char bytes[65536];
        const struct address address = unique_address(AF_INET);
        int listener = listen_on(&address, 0);
        struct lingering lingering = {.fd = connect_to(&address, CLIENT_MS)};

        assert_true(lingering.fd >= 0);
        lingering.other_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(lingering.other_fd >= 0);
        close(listener);
        while (send(lingering.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
                ;
        assert_int_equal(setsockopt(lingering.fd, SOL_SOCKET, SO_LINGER, &hour, sizeof(hour)), 0);
        return lingering;
}

static void open_pair(int pair[static 2])
{
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

/* It is sent, and nobody else has it any more. */
static int send_lingering(int fd)
{
        const struct lingering lingering = open_lingering();

        assert_int_equal(passed_fd_send(fd, "x", 1, lingering.fd), 0);
        close(lingering.fd);
        return lingering.other_fd;
}

static void test_which_packet_has_some(void **state)
{
        static const int yes = 1;
        int pair[2];
        char byte;

        (void)state;
        for (int has_name = 0; has_name <= 1; has_name++) {
                open_pair(pair);
                if (has_name)
                        setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
                assert_int_equal(unwanted_fds_look(pair[0], 8), -EAGAIN);
                assert_int_equal(send(pair[1], "x", 1, 0), 1);
                assert_int_equal(passed_fd_send(pair[1], "x", 1, STDERR_FILENO), 0);
                assert_int_equal(unwanted_fds_look(pair[0], 8), 8);
                assert_int_equal(recv(pair[0], &byte, 1, 0), 1);
                assert_int_equal(unwanted_fds_look(pair[0], 8), -EPROTO);
                assert_int_equal(unwanted_fds_look(pair[0], 8), -EPROTO); /* it is still there */
                assert_int_equal(recv(pair[0], &byte, 1, 0), 1);
                close(pair[1]);
                assert_int_equal(unwanted_fds_look(pair[0], 8), 8); /* of the end */
                unwanted_fds_close(&pair[0]);
                assert_int_equal(pair[0], -1);
        }
}

/* One read takes what was sent with descriptors together with what was sent before. */
static void test_a_stream_is_joined(void **state)
{
        int pair[2];
        char bytes[8];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(unwanted_fds_look(pair[0], sizeof(bytes)), -EAGAIN);
        assert_int_equal(send(pair[1], "x", 1, 0), 1);
        assert_int_equal(unwanted_fds_look(pair[0], sizeof(bytes)), 1);
        assert_int_equal(passed_fd_send(pair[1], "x", 1, STDERR_FILENO), 0);
        assert_int_equal(unwanted_fds_look(pair[0], sizeof(bytes)), -EPROTO);
        assert_int_equal(recv(pair[0], bytes, sizeof(bytes), 0), 2);
        close(pair[1]);
        assert_int_equal(unwanted_fds_look(pair[0], sizeof(bytes)), sizeof(bytes));
        close(pair[0]);
}

static void test_refused_where_the_kernel_can(void **state)
{
        int pair[2];

        (void)state;
        open_pair(pair);
        unwanted_fds_refuse(pair[0]);
        int r = passed_fd_send(pair[1], "x", 1, STDERR_FILENO);
        assert_true(r == -EPERM || (r == 0 && unwanted_fds_look(pair[0], 1) == -EPROTO));
        assert_int_equal(passed_fd_send(pair[1], "x", 1, -1), 0);
        unwanted_fds_close(&pair[0]);
        close(pair[1]);
}

/* Behind packets that have none, one of which is empty; the sender may have gone. */
static void test_a_close_does_not_wait(void **state)
{
        int pair[2];

        (void)state;
        for (int has_gone = 0; has_gone <= 1; has_gone++) {
                open_pair(pair);
                assert_int_equal(send(pair[1], "x", 1, 0), 1);
                assert_int_equal(send(pair[1], "", 0, 0), 0);
                int other_fd = send_lingering(pair[1]);
                if (has_gone)
                        close(pair[1]);
                alarm(PATIENCE_S);
                unwanted_fds_close(&pair[0]);
                alarm(0);
                assert_int_equal(pair[0], -1);
                if (!has_gone) {
                        assert_int_equal(send(pair[1], "x", 1, MSG_NOSIGNAL), -1);
                        close(pair[1]);
                }
                close(other_fd);
        }
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_clients_of_a_listener(void **state)
{
        const struct address address = unique_address(AF_UNIX);
        int listener = listen_on(&address, 0), client = connect_to(&address, CLIENT_MS);

        (void)state;
        int other_fd = send_lingering(client);
        close(client);
        int held = unwanted_fds_hold(listener);
        assert_true(held >= 0);
        alarm(PATIENCE_S);
        close(listener);
        close(held);
        alarm(0);
        close(other_fd);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_which_packet_has_some),        cmocka_unit_test(test_a_stream_is_joined),
                cmocka_unit_test(test_refused_where_the_kernel_can), cmocka_unit_test(test_a_close_does_not_wait),
                cmocka_unit_test(test_clients_of_a_listener),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
