#include "os/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

#define FIRST_FD 3
#define UNNAMED "unknown" /* as sd_listen_fds_with_names(3) has it */

static int read_option(int fd, int option, int *ret)
{
        socklen_t length = sizeof(*ret);

        return getsockopt(fd, SOL_SOCKET, option, ret, &length) < 0 ? -errno : 0;
}

int activation_examine(int fd, struct address *ret)
{
        struct address address = {.length = sizeof(address.un)};
        int type, listens;

        int r = read_option(fd, SO_TYPE, &type);
        if (r == 0)
                r = read_option(fd, SO_ACCEPTCONN, &listens);
        if (r < 0)
                return r;
        if (type != SOCK_STREAM)
                return -ESOCKTNOSUPPORT;
        if (!listens)
                return -EINVAL;
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
        return 0;
}

/* How many descriptors were passed to us. 0 also when they are another process's. */
static int read_count(size_t *ret)
{
        const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
        uint64_t pid, count;

        *ret = 0;
        if (!pid_text || !count_text)
                return 0;
        if (number_parse(pid_text, &pid) < 0 || number_parse(count_text, &count) < 0 || count > INT_MAX - FIRST_FD)
                return -EINVAL;
        if (pid == (uint64_t)getpid())
                *ret = (size_t)count;
        return 0;
}

/* The name at *cursor, which moves to the next one; *cursor is NULL when there is none left. */
static char *next_name(const char **cursor)
{
        const char *name = *cursor;

        if (!name)
                return strdup(UNNAMED);
        size_t length = strcspn(name, ":");
        *cursor = name[length] == ':' ? name + length + 1 : NULL;
        return length > 0 ? strndup(name, length) : strdup(UNNAMED);
}

static int receive_all(size_t count, const char *names, struct activation *activation)
{
        /* Close-on-exec first, for all of them: whatever fails afterwards, none may leak. */
        for (size_t i = 0; i < count; i++) {
                int flags = fcntl(FIRST_FD + (int)i, F_GETFD);
                if (flags < 0)
                        return -EINVAL; /* announced and not there */
                fcntl(FIRST_FD + (int)i, F_SETFD, flags | FD_CLOEXEC);
        }
        activation->sockets = calloc(count, sizeof(*activation->sockets));
        if (!activation->sockets)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                struct activation_socket *socket = &activation->sockets[activation->count++];
                socket->fd = FIRST_FD + (int)i;
                socket->error = -activation_examine(socket->fd, &socket->address);
                socket->name = next_name(&names);
                if (!socket->name)
                        return -ENOMEM;
        }
        return names ? -EINVAL : 0; /* more names than descriptors */
}

int activation_receive(struct activation *ret)
{
        struct activation activation = {0};
        size_t count;

        int r = read_count(&count);
        if (r == 0 && count > 0)
                r = receive_all(count, getenv("LISTEN_FDNAMES"), &activation);
        unsetenv("LISTEN_PID");
        unsetenv("LISTEN_FDS");
        unsetenv("LISTEN_FDNAMES");
        unsetenv("LISTEN_PIDFDID");
        if (r < 0) {
                activation_clear(&activation);
                return r;
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
