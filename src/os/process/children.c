#include "os/process/children.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/process/process_stat.h"

/* 0: there is no such process. */
static pid_t parent_of(pid_t pid)
{
        struct process_stat stat;

        return process_stat_read(pid, &stat) ? stat.parent : 0;
}

uint64_t children_born(pid_t pid)
{
        struct process_stat stat;

        return process_stat_read(pid, &stat) ? stat.born_ticks : 0;
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
