/* The peer is this process itself, connected to its own listener. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/net/peer.h"

static int listen_abstract(struct sockaddr_un *address, socklen_t *length)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        *address = (struct sockaddr_un){.sun_family = AF_UNIX};
        *length = sizeof(sa_family_t); /* the kernel makes a name */
        assert_int_equal(bind(fd, (struct sockaddr *)address, *length), 0);
        *length = sizeof(*address);
        assert_int_equal(getsockname(fd, (struct sockaddr *)address, length), 0);
        assert_int_equal(listen(fd, 4), 0);
        return fd;
}

static void test_ourselves(void **state)
{
        _cleanup_(peer_clear) struct peer peer = {0};
        struct sockaddr_un address;
        socklen_t length;
        gid_t groups[256];

        (void)state;
        _cleanup_(fd_closep) int listen_fd = listen_abstract(&address, &length);
        _cleanup_(fd_closep) int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_(fd_closep) int fd = -1;
        assert_int_equal(peer_accept(listen_fd, &fd, &peer), -EAGAIN);
        assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
        assert_int_equal(peer_accept(listen_fd, &fd, &peer), 0);
        assert_int_equal(peer.pid, getpid());
        assert_int_equal(peer.uid, geteuid());
        assert_int_equal(peer.gid, getegid());
        assert_int_equal(peer.group_count, getgroups((int)ELEMENTS(groups), groups));
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* More groups than fit into the first buffer. */
static void test_many_groups(void **state)
{
        _cleanup_(peer_clear) struct peer peer = {0};
        struct sockaddr_un address;
        socklen_t length;
        gid_t groups[300], before[256];

        (void)state;
        int count = getgroups((int)ELEMENTS(before), before);
        for (size_t i = 0; i < ELEMENTS(groups); i++)
                groups[i] = (gid_t)(10000 + i);
        if (count < 0 || setgroups(ELEMENTS(groups), groups) < 0)
                skip(); /* needs root */
        _cleanup_(fd_closep) int listen_fd = listen_abstract(&address, &length);
        _cleanup_(fd_closep) int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_(fd_closep) int fd = -1;
        assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
        assert_int_equal(peer_accept(listen_fd, &fd, &peer), 0);
        assert_int_equal(setgroups((size_t)count, before), 0);
        assert_int_equal(peer.group_count, ELEMENTS(groups));
        assert_memory_equal(peer.groups, groups, sizeof(groups));
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_ourselves), cmocka_unit_test(test_many_groups)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
