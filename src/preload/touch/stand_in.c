#include "preload/touch/stand_in.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/sys.h"

#define CONNECT_MS 1000
#define HIGH 40

static struct {
        int last; /* number of the connection's descriptors, -1 before the beginning */
        int far;
        dev_t device;
        ino_t inode;
} state = {.last = -1, .far = -1};

/* A TCP socket that is connected to itself: it has the family, needs no listener, and nobody else can take its place.
 */
static int connect_to_itself(int family)
{
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK)};
        struct sockaddr *address = family == AF_INET6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
        socklen_t length = family == AF_INET6 ? sizeof(six) : sizeof(four);
        struct timespec timeout = {.tv_sec = CONNECT_MS / 1000};

        int fd = (int)SYS_3(__NR_socket, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fd;
        struct pollfd writable = {.fd = fd, .events = POLLOUT};
        if (SYS_3(__NR_bind, fd, address, length) == 0 && SYS_3(__NR_getsockname, fd, address, &length) == 0) {
                SYS_3(__NR_connect, fd, address, length);
                SYS_5(__NR_ppoll, &writable, 1, &timeout, NULL, 0);
                if (sys_has_peer(fd) && SYS_3(__NR_fcntl, fd, F_SETFL, 0) == 0)
                        return fd;
        }
        sys_close(fd);
        return -ENOTCONN;
}

/* The near end of the stand-in; the far one is in state. */
static int make_socket(int family)
{
        int pair[2] = {-1, -1};
        int near = family == AF_UNIX ? -EAFNOSUPPORT : connect_to_itself(family);

        state.far = -1;
        if (near >= 0)
                return near;
        int r = (int)SYS_4(__NR_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
        if (r < 0)
                return r;
        state.far = (int)SYS_3(__NR_fcntl, pair[1], F_DUPFD_CLOEXEC, HIGH); /* low numbers are the program's */
        if (state.far >= 0)
                sys_close(pair[1]);
        else
                state.far = pair[1];
        return pair[0];
}

int stand_in_begin(int family, bool stderr_too)
{
        /* A child that waits for a client must not wait for ever. */
        const struct timeval second = {.tv_sec = 1};
        const int last = stderr_too ? 2 : 1;
        struct stat status = {0};

        int near = make_socket(family);
        if (near < 0)
                return near;
        SYS_6(__NR_sendto, state.far < 0 ? near : state.far, "\n", 1, MSG_NOSIGNAL, NULL, 0);
        SYS_5(__NR_setsockopt, near, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
        sys_fstat(near, &status);
        state.device = status.st_dev;
        state.inode = status.st_ino;
        for (int fd = 0; fd <= last; fd++) {
                stand_in_make_way(fd);
                if (fd != near)
                        SYS_3(__NR_dup3, near, fd, 0); /* cloexec: it is the program that chooses */
                else
                        SYS_3(__NR_fcntl, fd, F_SETFD, 0);
        }
        if (near > last)
                sys_close(near);
        state.last = last;
        return 0;
}

bool stand_in_has(int fd)
{
        return fd >= 0 && fd <= state.last;
}

int stand_in_far(void)
{
        return state.far;
}

void stand_in_make_way(int fd)
{
        if (state.far >= 0 && fd == state.far) {
                int moved = sys_move_up(fd);
                if (moved >= 0)
                        state.far = moved;
        }
}

bool stand_in_end(void)
{
        bool untouched = sys_readable_bytes(0) == 1 && (state.far < 0 || sys_readable_bytes(state.far) == 0);

        if (state.far >= 0)
                sys_close(state.far);
        state.far = -1;
        return untouched;
}

bool stand_in_is_at(int fd)
{
        struct stat status = {0};

        return sys_fstat(fd, &status) == 0 && status.st_ino == state.inode && status.st_dev == state.device;
}

static void put(int connection, int fd)
{
        if (fd == connection || !stand_in_is_at(fd))
                return;
        sys_put(connection, fd, SYS_3(__NR_fcntl, fd, F_GETFD, 0));
}

void stand_in_put(int connection, const int *others, int count)
{
        for (int fd = 0; fd <= state.last; fd++)
                put(connection, fd);
        for (int i = 0; i < count; i++)
                put(connection, others[i]);
}
