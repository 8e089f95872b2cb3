#include "os/net/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Room for the address of either family, as the kernel passes it. */
union control {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static int get_number(int fd, int option)
{
        int value = 0;
        socklen_t length = sizeof(value);

        return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -errno : value;
}

bool datagram_is_at(int listener)
{
        return get_number(listener, SO_TYPE) == SOCK_DGRAM;
}

bool datagram_prepare(int listener)
{
        const int on = 1;
        int family = get_number(listener, SO_DOMAIN);

        if (!datagram_is_at(listener))
                return false;
        if (family == AF_INET || family == AF_INET6) /* also on IPv6, for its IPv4 clients */
                setsockopt(listener, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
        if (family == AF_INET6)
                setsockopt(listener, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
        return true;
}

/* The address of the socket. */
static void read_own(int fd, struct address *ret)
{
        ret->length = sizeof(ret->un);
        ret->any.sa_family = AF_UNSPEC;
        if (getsockname(fd, &ret->any, &ret->length) < 0)
                ret->length = 0;
}

/* The address that the datagram was sent to, if the socket is bound to every one of a port. */
static void read_local(struct msghdr *message, struct address *local)
{
        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header && local->length > 0;
             header = CMSG_NXTHDR(message, header)) {
                struct in6_pktinfo in6;
                struct in_pktinfo in;
                if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO &&
                    local->any.sa_family == AF_INET6) {
                        memcpy(&in6, CMSG_DATA(header), sizeof(in6));
                        if (IN6_IS_ADDR_MULTICAST(&in6.ipi6_addr)) /* nobody sends from there */
                                continue;
                        local->in6.sin6_addr = in6.ipi6_addr;
                        if (IN6_IS_ADDR_LINKLOCAL(&in6.ipi6_addr))
                                local->in6.sin6_scope_id = in6.ipi6_ifindex;
                } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO &&
                           local->any.sa_family == AF_INET) {
                        memcpy(&in, CMSG_DATA(header), sizeof(in));
                        local->in.sin_addr = in.ipi_spec_dst; /* our own, also of a broadcast */
                }
        }
}

/* A socket that was shut reads as empty, without a sender. So does a datagram of an unnamed UNIX socket without bytes.
 */
static bool was_shut(int fd)
{
        struct pollfd poller = {.fd = fd, .events = POLLRDHUP};

        return poll(&poller, 1, 0) == 1 && (poller.revents & POLLRDHUP);
}

int datagram_receive(int listener, int answer_fd, struct datagram *ret)
{
        union control control;
        struct iovec part = {.iov_base = ret->bytes, .iov_len = sizeof(ret->bytes)};
        struct msghdr message = {
                .msg_name = &ret->sender.any, .msg_namelen = sizeof(ret->sender.un), .msg_iov = &part, .msg_iovlen = 1};

        read_own(answer_fd, &ret->local);
        if (ret->local.any.sa_family != AF_UNIX) { /* whose clients could pass descriptors, which nobody would close */
                message.msg_control = &control;
                message.msg_controllen = sizeof(control);
        }
        ssize_t length = recvmsg(listener, &message, MSG_CMSG_CLOEXEC);
        if (length < 0)
                return -errno;
        if (length == 0 && message.msg_namelen == 0 && was_shut(answer_fd))
                return -EINVAL;
        ret->answer_fd = answer_fd;
        ret->length = (size_t)length;
        ret->sender.length = message.msg_namelen;
        if (message.msg_namelen == 0)
                ret->sender.any.sa_family = AF_UNIX;
        read_local(&message, &ret->local);
        return 0;
}

/* Have the kernel send from the address that the client knows. Where that cannot be said, it chooses one. */
static void set_source(struct msghdr *message, union control *control, const struct address *local)
{
        struct cmsghdr *header = &control->header;

        memset(control, 0, sizeof(*control));
        if (local->length == 0)
                return;
        if (local->any.sa_family == AF_INET) {
                const struct in_pktinfo in = {.ipi_spec_dst = local->in.sin_addr};
                *header = (struct cmsghdr){
                        .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(in))};
                memcpy(CMSG_DATA(header), &in, sizeof(in));
                message->msg_controllen = CMSG_SPACE(sizeof(in));
        } else if (local->any.sa_family == AF_INET6) {
                const struct in6_pktinfo in6 = {.ipi6_addr = local->in6.sin6_addr,
                                                .ipi6_ifindex = local->in6.sin6_scope_id};
                *header = (struct cmsghdr){
                        .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(in6))};
                memcpy(CMSG_DATA(header), &in6, sizeof(in6));
                message->msg_controllen = CMSG_SPACE(sizeof(in6));
        }
        message->msg_control = message->msg_controllen > 0 ? control : NULL;
}

int datagram_answer(const struct datagram *datagram, const void *bytes, size_t length)
{
        struct address sender = datagram->sender;
        union control control;
        struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
        struct msghdr message = {
                .msg_name = &sender.any, .msg_namelen = sender.length, .msg_iov = &part, .msg_iovlen = 1};

        if (sender.length <= sizeof(sender.any.sa_family)) /* a UNIX socket without a name */
                return -EDESTADDRREQ;
        set_source(&message, &control, &datagram->local);
        return sendmsg(datagram->answer_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
