#include "os/process/cgroup_memory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

#define ROOT "/sys/fs/cgroup"

/* The file's first bytes, as a string. */
static bool read_file(const char *path, char *ret, size_t size)
{
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, ret, size - 1);

        ret[length > 0 ? length : 0] = '\0';
        return length > 0;
}

/* The group of the unified hierarchy, without the slash at its end: the line "0::/system.slice/a.service". */
static bool read_group(pid_t pid, char *ret, size_t size)
{
        char path[64], lines[PATH_MAX];

        snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        if (!read_file(path, lines, sizeof(lines)))
                return false;
        for (char *rest = lines, *line; (line = strsep(&rest, "\n")) != NULL;)
                if (text_starts_with(line, "0::/")) {
                        snprintf(ret, size, "%s", text_equal(line, "0::/") ? "" : line + strlen("0::"));
                        return true;
                }
        return false;
}

uint64_t cgroup_memory_limit(pid_t pid)
{
        char group[PATH_MAX], path[PATH_MAX + 64], word[64];
        uint64_t least = 0, bytes;

        if (!read_group(pid, group, sizeof(group)))
                return 0;
        for (;;) {
                snprintf(path, sizeof(path), ROOT "%s/memory.max", group);
                bool known = read_file(path, word, sizeof(word));
                word[strcspn(word, "\n")] = '\0';
                if (known && number_parse(word, &bytes) == 0 && (least == 0 || bytes < least)) /* not "max" */
                        least = bytes;
                char *slash = strrchr(group, '/');
                if (!slash)
                        return least;
                *slash = '\0';
        }
}
