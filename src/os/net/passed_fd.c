#include "os/net/passed_fd.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

int passed_fds_send(int fd, const void *bytes, size_t length, const int *passed, size_t count)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int) * PASSED_FDS_MAX)];
        } control = {0};
        struct iovec data = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

        if (count > PASSED_FDS_MAX)
                return -E2BIG;
        if (count > 0) {
                control.header = (struct cmsghdr){
                        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * count)};
                memcpy(CMSG_DATA(&control.header), passed, sizeof(int) * count);
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        }
        return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int passed_fd_send(int fd, const void *bytes, size_t length, int passed)
{
        return passed_fds_send(fd, bytes, length, &passed, passed >= 0 ? 1 : 0);
}

int passed_fd_receive(int fd, void *bytes, size_t length, int *ret_passed)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec data = {.iov_base = bytes, .iov_len = length};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        _cleanup_(fd_closep) int passed = -1;

        ssize_t received = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (received < 0)
                return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
        if (received == 0)
                return -EPIPE;
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            header->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(&passed, CMSG_DATA(header), sizeof(int));
        if ((size_t)received != length || message.msg_flags & MSG_TRUNC)
                return -EPROTO;
        *ret_passed = TAKE_FD(passed);
        return 0;
}
