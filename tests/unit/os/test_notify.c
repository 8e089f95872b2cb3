#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/notify.h"

/* The manager's side: a datagram socket with an abstract name, in NOTIFY_SOCKET. */
static int open_manager(char address[64])
{
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        snprintf(address, 64, "@preforkd-test-notify-%d", (int)getpid());
        memcpy(un.sun_path + 1, address + 1, strlen(address) - 1);
        assert_int_equal(
                bind(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address))),
                0);
        setenv("NOTIFY_SOCKET", address, 1);
        return fd;
}

static void clear_environment(void)
{
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
}

static void test_without_a_manager(void **state)
{
        struct notifier *notifier;

        (void)state;
        clear_environment();
        assert_int_equal(notifier_new(&notifier), 0);
        assert_false(notifier_is_heard(notifier));
        assert_int_equal(notifier_watchdog_ms(notifier), 0);
        assert_int_equal(notifier_send(notifier, "READY=1", NULL, 0), 0);
        notifier_free(notifier);
        notifier_free(NULL);
}

/* What was removed from the environment is put back for the next program of this process, which finds the same manager.
 */
static void test_the_environment_of_the_next_program(void **state)
{
        char address[64], buffer[256];
        int manager = open_manager(address);
        struct notifier *first, *next;

        (void)state;
        setenv("WATCHDOG_USEC", "30000000", 1);
        assert_int_equal(notifier_new(&first), 0);
        assert_string_equal(getenv("NOTIFY_SOCKET"), address); /* the start may fail yet, and another program follow */
        notifier_clear_environment();
        assert_int_equal(notifier_set_environment(first), 0);
        assert_string_equal(getenv("NOTIFY_SOCKET"), address);
        assert_int_equal(notifier_new(&next), 0);
        assert_int_equal(notifier_watchdog_ms(next), 30000);
        assert_int_equal(notifier_send(next, "STATUS=next", NULL, 0), 0);
        assert_int_equal(recv(manager, buffer, sizeof(buffer), 0), strlen("STATUS=next"));
        notifier_free(next);
        assert_int_equal(notifier_set_environment(first), 0);
        notifier_clear_environment();
        assert_null(getenv("NOTIFY_SOCKET"));
        assert_null(getenv("WATCHDOG_USEC"));
        notifier_free(first);
        assert_int_equal(notifier_new(&first), 0); /* without a manager there is nothing to put back */
        assert_int_equal(notifier_set_environment(first), 0);
        assert_null(getenv("NOTIFY_SOCKET"));
        notifier_free(first);
        close(manager);
}

static void test_messages_arrive(void **state)
{
        char address[64], buffer[256];
        int manager = open_manager(address);
        struct notifier *notifier;

        (void)state;
        setenv("WATCHDOG_USEC", "30000000", 1);
        assert_int_equal(notifier_new(&notifier), 0);
        assert_true(notifier_is_heard(notifier));
        assert_int_equal(notifier_watchdog_ms(notifier), 30000);
        clear_environment();
        assert_int_equal(notifier_send(notifier, "READY=1\nSTATUS=x", NULL, 0), 0);
        ssize_t length = recv(manager, buffer, sizeof(buffer), 0);
        assert_int_equal(length, 16);
        assert_memory_equal(buffer, "READY=1\nSTATUS=x", 16);
        notifier_free(notifier);
        close(manager);
}

static void test_descriptors_are_passed(void **state)
{
        char address[64], buffer[256];
        union {
                char bytes[CMSG_SPACE(sizeof(int) * 4)];
                struct cmsghdr align;
        } control;
        struct iovec part = {.iov_base = buffer, .iov_len = sizeof(buffer)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        int manager = open_manager(address), pair[2], passed[2];
        struct notifier *notifier;

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(notifier_new(&notifier), 0);
        assert_int_equal(notifier_send(notifier, "FDSTORE=1\nFDNAME=a", pair, 2), 0);
        assert_true(recvmsg(manager, &message, MSG_CMSG_CLOEXEC) > 0);
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        assert_non_null(header);
        assert_int_equal(header->cmsg_len, CMSG_LEN(sizeof(passed)));
        memcpy(passed, CMSG_DATA(header), sizeof(passed));
        assert_int_equal(write(passed[0], "x", 1), 1);
        assert_int_equal(read(pair[1], buffer, 1), 1);
        assert_int_equal(notifier_send(notifier, "FDSTORE=1", pair, 65), -E2BIG);
        for (int i = 0; i < 2; i++) {
                close(pair[i]);
                close(passed[i]);
        }
        notifier_free(notifier);
        close(manager);
}

/* A manager that does not read: the queue fills, and nobody waits. */
static void test_a_full_queue_is_no_wait(void **state)
{
        char address[64];
        int manager = open_manager(address);
        struct notifier *notifier;
        int r = 0;

        (void)state;
        assert_int_equal(notifier_new(&notifier), 0);
        for (int i = 0; i < 100000 && r == 0; i++)
                r = notifier_send(notifier, "STATUS=x", NULL, 0);
        assert_true(r == -EAGAIN || r == -ENOBUFS);
        close(manager);
        assert_int_equal(notifier_send(notifier, "STATUS=x", NULL, 0), -ECONNREFUSED);
        notifier_free(notifier);
}

static void test_bad_variables(void **state)
{
        struct notifier *notifier;
        char pid[32];

        (void)state;
        setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
        assert_int_equal(notifier_new(&notifier), -EINVAL);
        clear_environment();
        setenv("WATCHDOG_USEC", "5000000", 1);
        setenv("WATCHDOG_PID", "1", 1);
        assert_int_equal(notifier_new(&notifier), 0);
        assert_int_equal(notifier_watchdog_ms(notifier), 0); /* another process's */
        notifier_free(notifier);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("WATCHDOG_USEC", "5000000", 1);
        setenv("WATCHDOG_PID", pid, 1);
        assert_int_equal(notifier_new(&notifier), 0);
        assert_int_equal(notifier_watchdog_ms(notifier), 5000);
        notifier_free(notifier);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_a_manager),
                cmocka_unit_test(test_the_environment_of_the_next_program),
                cmocka_unit_test(test_messages_arrive),
                cmocka_unit_test(test_descriptors_are_passed),
                cmocka_unit_test(test_a_full_queue_is_no_wait),
                cmocka_unit_test(test_bad_variables),
        };

        return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
