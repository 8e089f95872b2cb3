#include "os/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Read the beginning of a file as text. 0 or -errno. */
static int read_text(const char *path, char *buffer, size_t size)
{
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, buffer, size - 1);

        if (length < 0)
                return -errno;
        buffer[length] = '\0';
        return 0;
}

size_t pressure_find_group(const char *text, const char **ret)
{
        for (const char *line = text; line && *line != '\0';) {
                const char *end = strchr(line, '\n');
                if (text_starts_with(line, "0::/")) {
                        *ret = line + strlen("0::");
                        /* /..: above the root of the name space */
                        return end && !text_starts_with(*ret, "/..") ? (size_t)(end - *ret) : 0;
                }
                line = end ? end + 1 : NULL;
        }
        return 0;
}

static int read_file(const char *path, struct pressure_reading *ret)
{
        char text[256];
        int r = read_text(path, text, sizeof(text));

        return r < 0 ? r : pressure_parse(text, ret);
}

/* The group's file, wherever version 2 is mounted. */
static int read_group(enum pressure_resource resource, struct pressure_reading *ret)
{
        static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
        char text[PATH_MAX] = "", path[PATH_MAX + 64];
        const char *group = NULL;
        int r = read_text("/proc/self/cgroup", text, sizeof(text));

        if (r < 0)
                return r;
        size_t length = pressure_find_group(text, &group);
        if (length == 0)
                return -ENOENT;
        for (size_t i = 0; i < ELEMENTS(mounts); i++) {
                snprintf(path, sizeof(path), "%s%.*s/%s.pressure", mounts[i], (int)length, group,
                         pressure_resource_name(resource));
                r = read_file(path, ret);
                if (r == 0)
                        break;
        }
        return r;
}

int pressure_read(enum pressure_resource resource, struct pressure_reading *ret)
{
        char path[64];

        if (read_group(resource, ret) == 0)
                return 0;
        snprintf(path, sizeof(path), "/proc/pressure/%s", pressure_resource_name(resource));
        return read_file(path, ret);
}
