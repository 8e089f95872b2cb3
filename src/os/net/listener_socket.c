#include "os/net/listener_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static int set_flag(int fd, int level, int option, int value)
{
        return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int listener_socket_open(struct address *address, const struct listener_options *options)
{
        int type = address_socket_type(address) | SOCK_CLOEXEC | (options->nonblocking ? SOCK_NONBLOCK : 0);
        int fd = socket(address->any.sa_family, type, 0);

        if (fd < 0 && errno == EAFNOSUPPORT && address->any.sa_family == AF_INET6 && !options->ipv6_only &&
            IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr)) {
                in_port_t port = address->in6.sin6_port;
                *address = (struct address){.in = {.sin_family = AF_INET, .sin_port = port},
                                            .length = sizeof(address->in),
                                            .datagram = address->datagram};
                fd = socket(AF_INET, type, 0);
        }
        return fd < 0 ? -errno : fd;
}

int listener_socket_prepare(int fd, const struct address *address, const struct listener_options *options)
{
        if (address->any.sa_family == AF_UNIX)
                return 0;
        /* With it, two UDP sockets of anybody's could share an address, and one of them would get nothing. */
        int r = address->datagram ? 0 : set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (r == 0 && options->shares_port)
                r = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        if (r == 0 && options->device &&
            setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, options->device, (socklen_t)strlen(options->device)) < 0)
                r = -errno;
        if (r == 0 && address->any.sa_family == AF_INET6)
                r = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->ipv6_only);
        if (r == 0 && options->free_bind && address->any.sa_family == AF_INET6)
                r = set_flag(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
        else if (r == 0 && options->free_bind)
                r = set_flag(fd, IPPROTO_IP, IP_FREEBIND, 1);
        return r;
}

int listener_socket_set_tcp(int fd, const struct listener_options *options, unsigned spared)
{
        int r = 0;

        if (!(spared & LISTENER_NODELAY))
                r = set_flag(fd, IPPROTO_TCP, TCP_NODELAY, options->tcp_nodelay);
        if (r == 0 && !(spared & LISTENER_KEEPALIVE))
                r = set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, options->tcp_keepalive);
        if (r == 0 && !(spared & LISTENER_DEFER_ACCEPT))
                r = set_flag(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, options->defer_accept);
        return r;
}
