#include "os/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FDS_MAX 64

struct notifier {
        int fd; /* -1: no manager */
        struct sockaddr_un address;
        socklen_t address_length;
        uint64_t watchdog_ms;
};

static int parse_address(const char *path, struct notifier *notifier)
{
        size_t length = strlen(path);

        if ((path[0] != '/' && path[0] != '@') || length < 2 || length >= sizeof(notifier->address.sun_path))
                return -EINVAL;
        notifier->address.sun_family = AF_UNIX;
        memcpy(notifier->address.sun_path, path, length);
        if (path[0] == '@')
                notifier->address.sun_path[0] = '\0';
        notifier->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
        return 0;
}

int notifier_new(struct notifier **ret)
{
        const char *path = getenv("NOTIFY_SOCKET");
        struct notifier *notifier = calloc(1, sizeof(*notifier));
        uint64_t watchdog_us;
        int r = notifier ? 0 : -ENOMEM;

        if (r < 0)
                return r;
        notifier->fd = -1;
        if (sd_watchdog_enabled(false, &watchdog_us) > 0)
                notifier->watchdog_ms = watchdog_us / 1000;
        if (path)
                r = parse_address(path, notifier);
        if (path && r == 0) {
                notifier->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                r = notifier->fd < 0 ? -errno : 0;
        }
        if (r < 0) {
                notifier_free(notifier);
                return r;
        }
        *ret = notifier;
        return 0;
}

bool notifier_is_heard(const struct notifier *notifier)
{
        return notifier->fd >= 0;
}

uint64_t notifier_watchdog_ms(const struct notifier *notifier)
{
        return notifier->watchdog_ms;
}

int notifier_set_environment(const struct notifier *notifier)
{
        const char *path = notifier->address.sun_path;
        char socket_text[sizeof(notifier->address.sun_path) + 1] = "", usec_text[24];
        size_t length = notifier->address_length - offsetof(struct sockaddr_un, sun_path);

        if (notifier->fd < 0)
                return 0;
        memcpy(socket_text, path, length);
        if (path[0] == '\0')
                socket_text[0] = '@';
        if (setenv("NOTIFY_SOCKET", socket_text, 1) < 0)
                return -errno;
        snprintf(usec_text, sizeof(usec_text), "%llu", (unsigned long long)notifier->watchdog_ms * 1000);
        return notifier->watchdog_ms > 0 && setenv("WATCHDOG_USEC", usec_text, 1) < 0 ? -errno : 0;
}

void notifier_clear_environment(void)
{
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
}

int notifier_send(struct notifier *notifier, const char *lines, const int *fds, size_t fd_count)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
                struct cmsghdr align;
        } control = {0};
        struct iovec part = {.iov_base = (char *)(uintptr_t)lines, .iov_len = strlen(lines)};
        struct msghdr message = {.msg_name = &notifier->address,
                                 .msg_namelen = notifier->address_length,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1};

        if (notifier->fd < 0)
                return 0;
        if (fd_count > FDS_MAX)
                return -E2BIG;
        if (fd_count > 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
                struct cmsghdr *header = CMSG_FIRSTHDR(&message);
                *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS,
                                           .cmsg_len = CMSG_LEN(sizeof(int) * fd_count)};
                memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
        }
        return sendmsg(notifier->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void notifier_free(struct notifier *notifier)
{
        if (!notifier)
                return;
        fd_closep(&notifier->fd);
        free(notifier);
}
