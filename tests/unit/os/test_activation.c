#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/activation.h"

/* Descriptors begin at 3, so every case is a child that arranges its own. */
static void in_child(int (*body)(void))
{
        int status = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(body());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void pass(const char *count, const char *names)
{
        char pid[32];

        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", count, 1);
        if (names)
                setenv("LISTEN_FDNAMES", names, 1);
        else
                unsetenv("LISTEN_FDNAMES");
}

static bool variables_are_gone(void)
{
        return !getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES");
}

static void move_to(int fd, int target)
{
        if (fd == target)
                return;
        dup3(fd, target, 0);
        close(fd);
}

/* A socket at `target`, bound to an address of the system's choice. */
static void open_socket(int target, int family, int type, bool listens)
{
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(family, type, 0);

        if (family == AF_INET)
                assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
        else /* autobind */
                assert_int_equal(bind(fd, (struct sockaddr *)&(sa_family_t){AF_UNIX}, sizeof(sa_family_t)), 0);
        if (listens)
                listen(fd, 1);
        move_to(fd, target);
}

static int receives(void)
{
        struct activation activation;

        open_socket(3, AF_INET, SOCK_STREAM, true);
        open_socket(4, AF_UNIX, SOCK_STREAM, true);
        pass("2", "web:");
        if (activation_receive(&activation) != 0 || activation.count != 2 || !variables_are_gone())
                return 1;
        if (strcmp(activation.sockets[0].name, "web") != 0 || strcmp(activation.sockets[1].name, "unknown") != 0)
                return 2;
        if (activation.sockets[0].fd != 3 || activation.sockets[0].error != 0 || activation.sockets[1].error != 0)
                return 3;
        if (activation.sockets[0].address.any.sa_family != AF_INET ||
            address_port(&activation.sockets[0].address) == 0 || activation.sockets[1].address.any.sa_family != AF_UNIX)
                return 4;
        if (fcntl(3, F_GETFD) != FD_CLOEXEC || fcntl(4, F_GETFD) != FD_CLOEXEC)
                return 5;
        activation_clear(&activation);
        if (activation.count != 0 || fcntl(3, F_GETFD) >= 0 || fcntl(4, F_GETFD) >= 0)
                return 6;
        return 0;
}

static int says_what_is_no_listener(void)
{
        const int expected[] = {EINVAL, ESOCKTNOSUPPORT, ENOTSOCK, 0};
        struct activation activation;
        int pipe_fds[2];

        open_socket(3, AF_INET, SOCK_STREAM, false);
        open_socket(4, AF_UNIX, SOCK_SEQPACKET, true);
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return 1;
        move_to(pipe_fds[0], 5);
        open_socket(6, AF_INET, SOCK_DGRAM, false);
        pass("4", NULL);
        if (activation_receive(&activation) != 0 || activation.count != 4)
                return 2;
        for (int i = 0; i < 4; i++)
                if (activation.sockets[i].error != expected[i] || strcmp(activation.sockets[i].name, "unknown") != 0)
                        return 3 + i;
        if (activation.sockets[0].address.datagram || !activation.sockets[3].address.datagram)
                return 7;
        activation_clear(&activation);
        return 0;
}

static int takes_paths_as_they_are_configured(void)
{
        struct address configured, bound;
        char path[64];

        snprintf(path, sizeof(path), "/tmp/preforkd-test-activation-%d", (int)getpid());
        if (address_parse(path, &configured) != 0)
                return 1;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* Without the NUL, as others may bind. */
        bool is_bound = bind(fd, &configured.any, configured.length - 1) == 0 && listen(fd, 1) == 0;
        unlink(path);
        if (!is_bound || activation_examine(fd, &bound) != 0)
                return 2;
        return address_equal(&configured, &bound) ? 0 : 3;
}

static int ignores_what_is_another_process_s(void)
{
        struct activation activation;

        open_socket(3, AF_INET, SOCK_STREAM, true);
        pass("1", "web");
        setenv("LISTEN_PID", "1", 1);
        if (activation_receive(&activation) != 0 || activation.count != 0 || !variables_are_gone())
                return 1;
        return activation_receive(&activation) == 0 && activation.count == 0 ? 0 : 2;
}

static int refuses_contradictions(void)
{
        struct activation activation;

        open_socket(3, AF_INET, SOCK_STREAM, true);
        close(4);
        pass("2", "a:b"); /* there is no 4 */
        if (activation_receive(&activation) != -EINVAL || !variables_are_gone())
                return 1;
        open_socket(3, AF_INET, SOCK_STREAM, true);
        pass("1", "a:b");
        if (activation_receive(&activation) != -EINVAL || fcntl(3, F_GETFD) >= 0)
                return 2;
        pass("-1", NULL);
        if (activation_receive(&activation) != -EINVAL)
                return 3;
        pass("99999999999", NULL);
        return activation_receive(&activation) == -EINVAL ? 0 : 4;
}

static void test_receives(void **state)
{
        (void)state;
        in_child(receives);
}

static void test_what_is_no_listener(void **state)
{
        (void)state;
        in_child(says_what_is_no_listener);
}

static void test_paths(void **state)
{
        (void)state;
        in_child(takes_paths_as_they_are_configured);
}

static void test_another_process(void **state)
{
        (void)state;
        in_child(ignores_what_is_another_process_s);
}

static void test_contradictions(void **state)
{
        (void)state;
        in_child(refuses_contradictions);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_receives),       cmocka_unit_test(test_what_is_no_listener),
                cmocka_unit_test(test_paths),          cmocka_unit_test(test_another_process),
                cmocka_unit_test(test_contradictions),
        };

        return cmocka_run_group_tests_name("activation", tests, NULL, NULL);
}
