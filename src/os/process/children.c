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

/* What follows the name in /proc/PID/stat, which is in parentheses and may hold anything: the state, the parent … */
static const char *read_stat(pid_t pid, char *line, size_t size)
{
        char path[32];

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, line, size - 1);
        if (length <= 0)
                return NULL;
        line[length] = '\0';
        const char *end = strrchr(line, ')');
        return end && strlen(end) > strlen(") S ") ? end + strlen(") ") : NULL;
}

/* 0: there is no such process. */
static pid_t parent_of(pid_t pid)
{
        char line[512];
        const char *rest = read_stat(pid, line, sizeof(line));

        return rest ? (pid_t)strtol(rest + strlen("S "), NULL, 10) : 0;
}

#define BORN_FIELD 22 /* of proc(5); the state is number 3 */
#define STATE_FIELD 3

uint64_t children_born(pid_t pid)
{
        char line[512];
        const char *rest = read_stat(pid, line, sizeof(line));

        for (int field = STATE_FIELD; rest && field < BORN_FIELD; field++) {
                rest = strchr(rest, ' ');
                rest = rest ? rest + 1 : NULL;
        }
        return rest ? strtoull(rest, NULL, 10) : 0;
}

static bool has_user(pid_t pid, uid_t uid)
{
        char path[32], line[128];
        bool found = false, is_his = false;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        _cleanup_(file_closep) FILE *file = fopen(path, "re");
        while (file && !found && fgets(line, sizeof(line), file)) {
                found = strncmp(line, "Uid:", 4) == 0;
                is_his = found && strtoul(line + 4, NULL, 10) == uid;
        }
        return is_his;
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

int children_each(pid_t parent, void (*look)(void *context, pid_t pid), void *context)
{
        char path[48];

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
        _cleanup_(file_closep) FILE *file = fopen(path, "re");
        if (!file)
                return -errno;
        _cleanup_(freep) char *pid = NULL;
        size_t size = 0;
        while (getdelim(&pid, &size, ' ', file) > 0)
                look(context, (pid_t)strtol(pid, NULL, 10));
        return 0;
}

struct signalling {
        pid_t parent;
        int number;
};

static void signal_one(void *context, pid_t pid)
{
        const struct signalling *signalling = context;

        signal_child(signalling->parent, pid, signalling->number);
}

int children_signal(pid_t parent, int number)
{
        struct signalling signalling = {.parent = parent, .number = number};

        return children_each(parent, signal_one, &signalling);
}

int children_kill(pid_t parent)
{
        return children_signal(parent, SIGKILL);
}

struct strangers {
        uid_t uid;
        uint64_t born;
        bool (*is_known)(const void *context, pid_t pid);
        const void *context;
        unsigned count;
};

static void kill_stranger(void *context, pid_t pid)
{
        struct strangers *strangers = context;

        if (pid <= 1 || strangers->is_known(strangers->context, pid) || children_born(pid) < strangers->born ||
            !has_user(pid, strangers->uid))
                return;
        signal_child(getpid(), pid, SIGKILL);
        strangers->count++;
}

unsigned children_kill_strangers(uid_t uid, uint64_t born, bool (*is_known)(const void *context, pid_t pid),
                                 const void *context)
{
        struct strangers strangers = {.uid = uid, .born = born, .is_known = is_known, .context = context};

        children_each(getpid(), kill_stranger, &strangers);
        return strangers.count;
}
