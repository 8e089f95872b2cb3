#include "os/process/unwanted_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/process/open_fds.h"
#include "os/process/spawn.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

void unwanted_fds_refuse(int fd)
{
        static const int no = 0;

        setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

static bool has_option(int fd, int option, bool otherwise)
{
        int value = 0;
        socklen_t length = sizeof(value);

        return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value != 0 : otherwise;
}

/* Look at the next packet, and at whether there is more beside it than the name of its sender, for which alone there is
 * room: so the kernel gives us no descriptor, and what it drops is a copy. False: there is none (without SO_PASSCRED,
 * also if it is empty). */
static bool look(int fd, bool *ret_has_more)
{
        char name[CMSG_SPACE(sizeof(struct ucred))], byte;
        struct iovec data = {.iov_base = &byte, .iov_len = sizeof(byte)};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

        if (has_option(fd, SO_PASSCRED, false)) {
                message.msg_control = name;
                message.msg_controllen = sizeof(name);
        }
        ssize_t length = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        *ret_has_more = length >= 0 && (message.msg_flags & MSG_CTRUNC);
        return length > 0 || (length == 0 && message.msg_controllen > 0);
}

bool unwanted_fds_are_next(int fd)
{
        bool has_more = false;

        if (has_option(fd, SO_PASSRIGHTS, true))
                look(fd, &has_more);
        return has_more;
}

/* Read what is there until a packet has descriptors beside it. False: none has. */
static bool drain(int fd)
{
        static const int yes = 1;
        bool has_more = false;
        char byte;

        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)); /* tells a packet that is empty from the end */
        while (look(fd, &has_more) && !has_more)
                if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0)
                        break;
        return has_more;
}

struct holder {
        int fd, until_fd;
};

/* Have the socket until nobody has the other end of the pipe, and end. */
static int hold(void *context)
{
        const struct holder *holder = context;
        const int keep[] = {holder->fd, holder->until_fd};
        char byte;

        fds_close_all_except(keep, ELEMENTS(keep));
        while (read(holder->until_fd, &byte, sizeof(byte)) > 0)
                ;
        return 0;
}

int unwanted_fds_hold(int fd)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        struct holder holder = {.fd = fd, .until_fd = ends[0]};
        int r = spawn_orphan(hold, &holder);
        close(ends[0]);
        if (r == 0)
                return ends[1];
        close(ends[1]);
        return r;
}

void unwanted_fds_drop(int *fd)
{
        int dropped = TAKE_FD(*fd), until_fd = unwanted_fds_hold(dropped);

        if (until_fd < 0)
                return;
        close(dropped);
        close(until_fd);
}

void unwanted_fds_close(int *fd)
{
        if (*fd < 0)
                return;
        shutdown(*fd, SHUT_RD); /* nothing comes any more */
        if (has_option(*fd, SO_PASSRIGHTS, true) && drain(*fd))
                unwanted_fds_drop(fd);
        else
                fd_closep(fd);
}
