#include "os/process/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

int process_usage_read(pid_t pid, struct process_usage *ret)
{
        char path[32], line[1024];
        uint64_t user_ticks, system_ticks;
        int64_t pages;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ssize_t length = read(fd, line, sizeof(line) - 1);
        if (length < 0)
                return -errno;
        line[length] = '\0';
        /* The second field is the name, in parentheses, and may contain any byte; the others are numbers. */
        const char *rest = strrchr(line, ')');
        if (!rest || sscanf(rest + 1,
                            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                            " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNd64,
                            &user_ticks, &system_ticks, &pages) != 3)
                return -EPROTO;
        uint64_t ticks_per_second = (uint64_t)sysconf(_SC_CLK_TCK), page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
        *ret = (struct process_usage){.cpu_ms = (user_ticks + system_ticks) * 1000 / ticks_per_second,
                                      .resident_bytes = (uint64_t)MAX_OF(pages, (int64_t)0) * page_bytes};
        return 0;
}
