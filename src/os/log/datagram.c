#include "os/log/datagram.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

int log_datagram_open(const char *path, struct log_datagram *ret)
{
        struct log_datagram datagram = {.address.sun_family = AF_UNIX};
        size_t length = strlen(path);

        if (length >= sizeof(datagram.address.sun_path))
                return -ENAMETOOLONG;
        memcpy(datagram.address.sun_path, path, length + 1);
        datagram.address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);

        datagram.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (datagram.fd < 0)
                return -errno;
        *ret = datagram;
        return 0;
}

int log_datagram_send(const struct log_datagram *datagram, const void *bytes, size_t length)
{
        ssize_t n = sendto(datagram->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                           (const struct sockaddr *)&datagram->address, datagram->address_length);
        return n < 0 ? -errno : 0;
}

int log_datagram_check(const struct log_datagram *datagram)
{
        /* Connecting a datagram socket sends nothing, and this one is nobody else's. */
        _cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        return fd < 0 || connect(fd, (const struct sockaddr *)&datagram->address, datagram->address_length) < 0 ? -errno
                                                                                                                : 0;
}

void log_datagram_close(struct log_datagram *datagram)
{
        fd_closep(&datagram->fd);
}
