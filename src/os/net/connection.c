#include "os/net/connection.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/address.h"
#include "base/cleanup.h"

int connection_open(const struct address *target, unsigned timeout_s, bool (*give_up)(const void *context),
                    const void *context, int *ret_fd)
{
        const struct timeval timeout = {.tv_sec = (time_t)timeout_s};
        _cleanup_(fd_closep) int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)); /* connect(2) obeys it */
        while (connect(fd, &target->any, target->length) < 0 && errno != EISCONN) {
                if (errno == EINPROGRESS || errno == EALREADY || errno == EAGAIN)
                        return -ETIMEDOUT;
                if (errno != EINTR || give_up(context))
                        return -errno;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* A number that no other socket of this machine has had since it was booted. 0: the descriptor is no socket, or the
 * kernel gives no such numbers. */
static uint64_t cookie_of(int fd)
{
        uint64_t cookie = 0;
        socklen_t length = sizeof(cookie);

        return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

struct connection_id connection_identify(int fd, const struct address *peer)
{
        bool has_port = peer->any.sa_family == AF_INET || peer->any.sa_family == AF_INET6;

        return (struct connection_id){.peer = peer, .cookie = has_port ? 0 : cookie_of(fd)};
}

/* A TCP socket without a peer: has it ever had one? */
static bool was_connected(int fd)
{
        struct tcp_info info = {0};
        socklen_t length = sizeof(info);

        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_segs_in > 0;
}

/* No two open connections of a listener have the same client's address and port. */
static bool has_peer(int fd, const struct address *expected)
{
        struct address peer;

        peer.length = sizeof(peer.un);
        if (getpeername(fd, &peer.any, &peer.length) == 0)
                return peer.length == expected->length && memcmp(&peer.any, &expected->any, peer.length) == 0;
        return errno == ENOTCONN && was_connected(fd); /* its client has broken it off */
}

bool connection_is(int fd, const struct connection_id *id)
{
        if (id->peer->any.sa_family == AF_INET || id->peer->any.sa_family == AF_INET6)
                return has_peer(fd, id->peer);
        return id->cookie == 0 || cookie_of(fd) == id->cookie;
}

void connection_set_nodelay(int fd)
{
        const int on = 1;

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void connection_set_reset(int fd)
{
        const struct linger at_once = {.l_onoff = 1};

        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}
