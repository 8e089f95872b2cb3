#include "os/net/unix_queue.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "os/net/sock_diag.h"

#define STATE_CONNECTING "02" /* SS_CONNECTING of <linux/net.h>, as it is listed */

/* The next column of a row, which ends at a blank; moves *row past it and the blanks behind it. */
static bool next_is(const char **row, const char *expected)
{
        size_t length = strcspn(*row, " ");
        bool is_expected = length == strlen(expected) && strncmp(*row, expected, length) == 0;

        *row += length;
        *row += strspn(*row, " ");
        return is_expected;
}

/* Is this row one of a connection that nobody has accepted, at `name`? */
static bool waits_at(const char *row, const char *name)
{
        /* Num RefCount Protocol Flags Type St Inode Path */
        for (unsigned i = 0; i < 5; i++)
                next_is(&row, "");
        bool is_connecting = next_is(&row, STATE_CONNECTING), has_no_inode = next_is(&row, "0");
        return is_connecting && has_no_inode && strcmp(row, name) == 0;
}

/* The address as the kernel lists it: every NUL of an abstract name is an `@`. */
static void list_name(const struct address *address, char *text, size_t size)
{
        size_t length = MIN_OF(address->length - offsetof(struct sockaddr_un, sun_path), size - 1);

        memcpy(text, address->un.sun_path, length);
        text[length] = '\0';
        if (text[0] != '\0')
                return; /* a path ends at its NUL */
        for (size_t i = 0; i < length; i++)
                if (text[i] == '\0')
                        text[i] = '@';
}

/* Count the connections that wait at an address. 0 or -errno. */
static int count_listed(const struct address *address, uint32_t *ret)
{
        _cleanup_(file_closep) FILE *file = fopen("/proc/net/unix", "re");
        _cleanup_(freep) char *row = NULL;
        char name[sizeof(address->un.sun_path) + 1];
        size_t size = 0;
        ssize_t length;
        uint32_t count = 0;

        if (!file)
                return -errno;
        list_name(address, name, sizeof(name));
        while ((length = getline(&row, &size, file)) > 0) {
                if (row[length - 1] == '\n')
                        row[length - 1] = '\0';
                count += waits_at(row, name);
        }
        if (!feof(file))
                return -EIO;
        *ret = count;
        return 0;
}

static int check_listening(int fd)
{
        int is_listening = 0;
        socklen_t length = sizeof(is_listening);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) < 0)
                return -errno;
        return is_listening ? 0 : -EINVAL;
}

static int estimate(int fd, const struct address *address, uint32_t *ret)
{
        struct pollfd poller = {.fd = fd, .events = POLLIN | POLLRDHUP};
        uint32_t count = 0;

        int r = check_listening(fd);
        if (r < 0)
                return r;
        if (poll(&poller, 1, 0) < 0)
                return -errno;
        bool is_shut = poller.revents & POLLRDHUP, is_readable = poller.revents & POLLIN;
        r = is_readable ? count_listed(address, &count) : 0;
        if (r < 0 && is_shut)
                return r;
        *ret = is_readable && !is_shut ? MAX_OF(count, 1U) : count;
        return 0;
}

int unix_queue_length(int fd, const struct address *address, uint32_t *ret)
{
        struct sock_diag_unix diag;

        if (sock_diag_unix(fd, &diag) < 0)
                return estimate(fd, address, ret);
        *ret = diag.queued;
        return 0;
}
