#include "os/process/process_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STATE_FIELD 3
#define PARENT_FIELD 4
#define FLAGS_FIELD 9
#define USER_TIME_FIELD 14
#define SYSTEM_TIME_FIELD 15
#define BORN_FIELD 22

/* PF_EXITING of the kernel: proc_pid_stat(5) shows its flags, and their numbers have been these since 2.6. */
#define FLAG_ENDING 0x4U

/* The number of a field; `rest` begins with the state. 0 if there are fewer. */
static uint64_t number_of(const char *rest, int field)
{
        for (int at = STATE_FIELD; rest && at < field; at++) {
                rest = strchr(rest, ' ');
                rest = rest ? rest + 1 : NULL;
        }
        return rest ? strtoull(rest, NULL, 10) : 0;
}

bool process_stat_read(pid_t pid, struct process_stat *ret)
{
        char path[32], line[512];

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
        if (length <= 0)
                return false;
        line[length] = '\0';
        const char *name = strchr(line, '('), *end = strrchr(line, ')');
        if (!name || !end || end < name || strlen(end) <= strlen(") S "))
                return false;
        const char *rest = end + strlen(") ");
        *ret = (struct process_stat){.state = *rest,
                                     .parent = (pid_t)number_of(rest, PARENT_FIELD),
                                     .is_ending = (number_of(rest, FLAGS_FIELD) & FLAG_ENDING) != 0,
                                     .cpu_ticks = number_of(rest, USER_TIME_FIELD) + number_of(rest, SYSTEM_TIME_FIELD),
                                     .born_ticks = number_of(rest, BORN_FIELD)};
        snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(end - name - 1), name + 1);
        return true;
}

bool process_is_ending(pid_t pid)
{
        struct process_stat stat;

        if (process_stat_read(pid, &stat))
                return stat.is_ending;
        return kill(pid, 0) < 0 && errno == ESRCH;
}
