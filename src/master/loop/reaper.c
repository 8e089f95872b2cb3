#include "master/loop/reaper.h"

#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

struct child {
        pid_t pid;
        reaper_callback callback;
        void *context;
};

struct reaper {
        void *children; /* of tsearch(3), ordered by pid */
        pid_t ended;    /* had ended and was not collected when reaper_is_behind() looked last; 0: none had */
};

static int compare(const void *a, const void *b)
{
        const struct child *one = a, *other = b;

        return (one->pid > other->pid) - (one->pid < other->pid);
}

int reaper_new(struct reaper **ret)
{
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

static struct child *find(const struct reaper *reaper, pid_t pid)
{
        const struct child key = {.pid = pid};
        struct child *const *node = tfind(&key, &reaper->children, compare);

        return node ? *node : NULL;
}

int reaper_add(struct reaper *reaper, pid_t pid, reaper_callback callback, void *context)
{
        struct child *child = malloc(sizeof(*child));

        if (!child)
                return -ENOMEM;
        *child = (struct child){.pid = pid, .callback = callback, .context = context};
        if (!tsearch(child, &reaper->children, compare)) {
                free(child);
                return -ENOMEM;
        }
        return 0;
}

int reaper_kill(struct reaper *reaper, pid_t pid, int signal_number)
{
        if (!find(reaper, pid))
                return -ESRCH;
        return kill(pid, signal_number) < 0 ? -errno : 0;
}

void reaper_collect(struct reaper *reaper)
{
        struct rusage usage;
        int status;
        pid_t pid;

        while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
                struct child *child = find(reaper, pid);
                if (!child) /* a child we inherited with our process; collected, and of no interest */
                        continue;
                struct child known = *child;
                tdelete(&known, &reaper->children, compare);
                free(child);
                known.callback(known.context, pid, status, &usage);
        }
}

bool reaper_is_behind(struct reaper *reaper)
{
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
                info.si_pid = 0;
        bool is_behind = info.si_pid != 0 && info.si_pid == reaper->ended;
        reaper->ended = info.si_pid;
        return is_behind;
}

void reaper_free(struct reaper *reaper)
{
        if (!reaper)
                return;
        tdestroy(reaper->children, free);
        free(reaper);
}
