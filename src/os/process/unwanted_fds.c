#include "os/process/unwanted_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/process/open_fds.h"
#include "os/process/spawn.h"

#define LOOK_BYTES 4096 /* as the most that is read at once from a stream */

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

void unwanted_fds_refuse(int fd)
{
        static const int no = 0;

        setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

static int option_of(int fd, int option, int otherwise)
{
        int value = 0;
        socklen_t length = sizeof(value);

        return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : otherwise;
}

struct look {
        ssize_t length; /* -errno: there is nothing */
        bool has_name;  /* so it is no end */
        bool has_more;  /* descriptors */
};

/* Look at up to `size` bytes of what comes next, and at whether there is more beside them than the name of their
 * sender, for which alone there is room: so the kernel gives us no descriptor, and what it drops is a copy. */
static struct look look(int fd, size_t size)
{
        char name[CMSG_SPACE(sizeof(struct ucred))], bytes[LOOK_BYTES];
        struct iovec data = {.iov_base = bytes, .iov_len = size < sizeof(bytes) ? size : sizeof(bytes)};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

        if (option_of(fd, SO_PASSCRED, false)) {
                message.msg_control = name;
                message.msg_controllen = sizeof(name);
        }
        ssize_t length = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length < 0)
                return (struct look){.length = -errno};
        return (struct look){.length = length,
                             .has_name = message.msg_controllen > 0,
                             .has_more = (message.msg_flags & MSG_CTRUNC) != 0};
}

ssize_t unwanted_fds_look(int fd, size_t size)
{
        if (!option_of(fd, SO_PASSRIGHTS, true))
                return (ssize_t)size;
        const struct look next = look(fd, size);
        if (next.length < 0)
                return next.length;
        if (next.has_more)
                return -EPROTO;
        return next.length == 0 || option_of(fd, SO_TYPE, SOCK_STREAM) != SOCK_STREAM ? (ssize_t)size : next.length;
}

ssize_t unwanted_fds_receive(int fd, void *data, size_t size)
{
        ssize_t length = unwanted_fds_look(fd, size);

        if (length < 0)
                return length;
        length = recv(fd, data, (size_t)length, MSG_DONTWAIT);
        return length < 0 ? -errno : length;
}

/* Read what is there until a packet has descriptors beside it. False: none has. */
static bool drain(int fd)
{
        static const int yes = 1;
        char byte;

        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)); /* tells a packet that is empty from the end */
        for (;;) {
                const struct look next = look(fd, sizeof(byte));
                if (next.has_more)
                        return true;
                if (next.length < 0 || (next.length == 0 && !next.has_name))
                        return false;
                if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0)
                        return false;
        }
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
        if (option_of(*fd, SO_PASSRIGHTS, true) && drain(*fd))
                unwanted_fds_drop(fd);
        else
                fd_closep(fd);
}
