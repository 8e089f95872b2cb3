#include "os/process/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The parent as /proc says it; 0: there is no such process. The name, in parentheses, may hold anything; the state and
 * the parent follow it. */
static pid_t parent_of(pid_t pid)
{
        char path[32], line[512];

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
        if (length <= 0)
                return 0;
        line[length] = '\0';
        const char *end = strrchr(line, ')');
        return end && strlen(end) > strlen(") S ") ? (pid_t)strtol(end + strlen(") S "), NULL, 10) : 0;
}

/* The descriptor stands for the process that is looked at, whatever happens to its number. */
static void signal_child(pid_t parent, pid_t pid, int number)
{
        _cleanup_(fd_closep) int fd = pidfd_open(pid, 0);

        if (fd < 0 || parent_of(pid) != parent || pidfd_send_signal(fd, 0, NULL, 0) < 0)
                return;
        if (number == SIGKILL && getpgid(pid) == pid)
                kill(-pid, SIGKILL);
        pidfd_send_signal(fd, number, NULL, 0);
}

int children_signal(pid_t parent, int number)
{
        char path[48];

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
        _cleanup_(file_closep) FILE *file = fopen(path, "re");
        if (!file)
                return -errno;
        _cleanup_(freep) char *pid = NULL;
        size_t size = 0;
        while (getdelim(&pid, &size, ' ', file) > 0)
                signal_child(parent, (pid_t)strtol(pid, NULL, 10), number);
        return 0;
}

int children_kill(pid_t parent)
{
        return children_signal(parent, SIGKILL);
}
