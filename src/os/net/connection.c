#include "os/net/connection.h"

#include <errno.h>
#include <netinet/tcp.h>
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

uint64_t connection_cookie(int fd)
{
        uint64_t cookie = 0;
        socklen_t length = sizeof(cookie);

        return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
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
