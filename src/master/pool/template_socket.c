#include "master/pool/template_socket.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/net/passed_fd.h"
#include "os/process/unwanted_fds.h"

int template_socket_open(int *ret_fd, int *ret_other)
{
        static const int yes = 1;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0) {
                int r = -errno;
                close(pair[0]);
                close(pair[1]);
                return r;
        }
        unwanted_fds_refuse(pair[0]);
        *ret_fd = pair[0];
        *ret_other = pair[1];
        return 0;
}

void template_socket_close(int *fd)
{
        unwanted_fds_close(fd);
}

/* There is place for the name of the sender alone. */
int template_socket_receive(int fd, struct template_word *ret, struct ucred *ret_sender)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(struct ucred))];
        } control = {0};
        struct iovec data = {.iov_base = ret, .iov_len = sizeof(*ret)};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};

        ssize_t length = unwanted_fds_look(fd, sizeof(*ret));
        if (length < 0)
                return length == -ECONNRESET ? -EPIPE : (int)length;
        length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length < 0)
                return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
        if (length == 0)
                return -EPIPE;
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (length != (ssize_t)sizeof(*ret) || message.msg_flags & MSG_TRUNC || !header ||
            header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS ||
            header->cmsg_len < CMSG_LEN(sizeof(*ret_sender)))
                return -EPROTO;
        memcpy(ret_sender, CMSG_DATA(header), sizeof(*ret_sender));
        return 0;
}

int template_socket_send(int fd, const struct template_order *order, const int *fds, size_t count)
{
        static_assert(TEMPLATE_FDS_MAX <= PASSED_FDS_MAX, "an order passes on what the kernel can");

        return passed_fds_send(fd, order, sizeof(*order), fds, count);
}
