#include "os/net/unix_address.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/cleanup.h"

int unix_address_check_unheard(const struct address *address)
{
        _cleanup_(fd_closep) int fd = socket(AF_UNIX, address_socket_type(address) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, &address->any, address->length) == 0)
                return -EADDRINUSE;
        /* EAGAIN: the queue of a listening process is full. EPROTOTYPE: it is a socket of another type. */
        return errno == ECONNREFUSED || errno == ENOENT ? 0 : -EADDRINUSE;
}
