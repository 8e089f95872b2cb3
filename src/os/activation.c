#include "os/activation.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"

#define UNNAMED "unknown" /* as sd_listen_fds_with_names(3) has it */

/* False also for a socket that could get something but was shut down. True if memory is short for the question. */
static bool listens(int fd, bool datagram)
{
        struct pollfd poller = {.fd = fd, .events = POLLRDHUP};

        if (poll(&poller, 1, 0) <= 0)
                poller.revents = 0;
        if (datagram) /* POLLERR is of one client who has gone */
                return !(poller.revents & (POLLRDHUP | POLLHUP));
        return poller.revents == 0 && sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) != 0;
}

/* 0 with whether it is a socket for datagrams, or -errno. */
static int examine_type(int fd, bool *ret_datagram)
{
        int r = sd_is_socket(fd, AF_UNSPEC, 0, -1);

        if (r <= 0)
                return r < 0 ? r : -ENOTSOCK;
        r = sd_is_socket(fd, AF_UNSPEC, SOCK_DGRAM, -1);
        if (r < 0)
                return r;
        *ret_datagram = r > 0;
        if (r == 0)
                r = sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, -1);
        return r > 0 ? 0 : r < 0 ? r : -ESOCKTNOSUPPORT;
}

int activation_examine(int fd, struct address *ret)
{
        struct address address = {.length = sizeof(address.un)};

        int r = examine_type(fd, &address.datagram);
        if (r < 0)
                return r;
        if (getsockname(fd, &address.any, &address.length) < 0)
                return -errno;
        switch (address.any.sa_family) {
        case AF_UNIX: /* a path may come without its NUL in the length, or with it: count it as address_parse() does */
                if (address.un.sun_path[0] != '\0')
                        address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                                     strnlen(address.un.sun_path, sizeof(address.un.sun_path) - 1) + 1);
                break;
        case AF_INET:
        case AF_INET6:
                break;
        default:
                return -EAFNOSUPPORT;
        }
        *ret = address;
        return listens(fd, address.datagram) ? 0 : -EINVAL;
}

static void free_names(char ***names)
{
        for (size_t i = 0; *names && (*names)[i]; i++)
                free((*names)[i]);
        free(*names);
}

static int take_sockets(size_t count, char **names, struct activation *activation)
{
        activation->sockets = calloc(count, sizeof(*activation->sockets));
        if (!activation->sockets)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                struct activation_socket *socket = &activation->sockets[activation->count++];
                socket->fd = SD_LISTEN_FDS_START + (int)i;
                socket->error = -activation_examine(socket->fd, &socket->address);
                socket->name = strdup(names[i][0] != '\0' ? names[i] : UNNAMED);
                if (!socket->name)
                        return -ENOMEM;
        }
        return 0;
}

int activation_receive(struct activation *ret)
{
        _cleanup_(free_names) char **names = NULL;
        struct activation activation = {0};

        /* The first call counts, for the case that the second one finds that the names do not fit: then the descriptors
         * are closed all the same. Either call makes all of them close-on-exec. */
        int count = sd_listen_fds(false);
        int r = sd_listen_fds_with_names(true, &names);
        unsetenv("LISTEN_PIDFDID"); /* libsystemd before 258 does not know it */
        if (r > 0)
                r = take_sockets((size_t)r, names, &activation);
        else
                for (int i = 0; i < count; i++)
                        close(SD_LISTEN_FDS_START + i);
        if (r < 0) {
                activation_clear(&activation);
                return r == -ENOMEM ? r : -EINVAL; /* the library tells more kinds of contradictions apart */
        }
        *ret = activation;
        return 0;
}

void activation_clear(struct activation *activation)
{
        for (size_t i = 0; i < activation->count; i++) {
                fd_closep(&activation->sockets[i].fd);
                free(activation->sockets[i].name);
        }
        free(activation->sockets);
        *activation = (struct activation){0};
}
