#include "builtin/stream.h"

#include <errno.h>
#include <sys/socket.h>

ssize_t stream_read(int fd, char *buffer, size_t size)
{
        ssize_t length;

        do
                length = recv(fd, buffer, size, 0);
        while (length < 0 && errno == EINTR);
        return length < 0 ? -errno : length;
}

int stream_write(int fd, const char *bytes, size_t length)
{
        while (length > 0) {
                ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
                if (sent < 0 && errno != EINTR)
                        return -errno;
                if (sent < 0)
                        continue;
                bytes += sent;
                length -= (size_t)sent;
        }
        return 0;
}

int stream_result(int error)
{
        return error == -ECONNRESET || error == -EPIPE ? 0 : error;
}
