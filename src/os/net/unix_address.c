#include "os/net/unix_address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int unix_address_check_unheard(const struct address *address)
{
        _cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, &address->any, address->length) == 0)
                return -EADDRINUSE;
        /* EAGAIN: the queue of a listening process is full. EPROTOTYPE: it is a datagram socket. */
        return errno == ECONNREFUSED || errno == ENOENT ? 0 : -EADDRINUSE;
}

int unix_address_check_stale(const struct address *address)
{
        struct stat status;

        if (lstat(address->un.sun_path, &status) < 0)
                return errno == ENOENT ? 0 : -errno;
        return S_ISSOCK(status.st_mode) ? unix_address_check_unheard(address) : -ENOTSOCK;
}

int unix_address_try(const struct address *address)
{
        const char *path = address->un.sun_path;
        char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
        struct stat status;

        if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
                return -ENOTSOCK;
        snprintf(directory, sizeof(directory), "%.*s", (int)MAX_OF(strrchr(path, '/') - path, 1), path);
        if (stat(directory, &status) < 0)
                return -errno;
        if (!S_ISDIR(status.st_mode))
                return -ENOTDIR;
        return faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}
