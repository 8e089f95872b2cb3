/* Listening sockets and clients for tests. Each process listens on an address of its own inside 127/8, so that tests
 * can run side by side. */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/address.h"
#include "base/text.h"
#include "unit/child_helpers.h"

/* An address that no other test has: 127.x.y.z:PORT or the abstract name of a UNIX socket. The port is the process's
 * own too, because half-open connections are counted by port, and other tests may run beside this one. */
static inline struct address unique_address(int family)
{
        static unsigned count;
        unsigned pid = (unsigned)getpid() & 0x3fffff;
        struct address address;
        char text[64];

        count++;
        if (family == AF_UNIX)
                snprintf(text, sizeof(text), "@preforkd-test-%u-%u", pid, count);
        else
                snprintf(text, sizeof(text), "127.%u.%u.%u:%u", 1 + count % 200, pid >> 8 & 0xff, 1 + pid % 254,
                         2000 + pid % 3959 * 2); /* the next one is nobody's */
        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static inline int listen_on(const struct address *address, int flags)
{
        int one = 1, fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

        assert_true(fd >= 0);
        if (address->any.sa_family != AF_UNIX)
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        assert_int_equal(bind(fd, &address->any, address->length), 0);
        assert_int_equal(listen(fd, 511), 0);
        return fd;
}

/* A connected socket whose reads and writes end after `timeout_ms`; -errno. */
static inline int connect_to(const struct address *address, unsigned timeout_ms)
{
        const struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000L};
        int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)); /* connect's, too */
        if (connect(fd, &address->any, address->length) < 0) {
                int saved_errno = errno;
                close(fd);
                return -saved_errno;
        }
        return fd;
}

/* The other side of talk(): read the question and answer it. False if no question came. */
static inline bool answer_one(int connection)
{
        char byte = 0;
        ssize_t n;

        while ((n = recv(connection, &byte, 1, 0)) < 0 && errno == EINTR)
                ;
        if (n == 1)
                byte = send(connection, "x", 1, MSG_NOSIGNAL) == 1 ? byte : 0;
        close(connection);
        return byte == 'q';
}

/* Send a question, wait for the answer and the end of the connection, and close it. 0; -errno; -ENODATA: the connection
 * ended without an answer. */
static inline int talk(int fd)
{
        char bytes[2];
        size_t length = 0;
        ssize_t n = send(fd, "q", 1, MSG_NOSIGNAL);

        while (n > 0 && (n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
                length += (size_t)n;
        int r = n < 0 ? -errno : length == 1 && bytes[0] == 'x' ? 0 : -ENODATA;
        close(fd);
        return r;
}
