/* Credentials: what a worker gives up, and in which order, before it touches a connection.
 *
 * Called by worker/ in the child, once. The order is setgroups, setresgid, setresuid, each verified afterwards, then
 * no_new_privs and not being dumpable; a worker that could not do one of them must not go on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct credentials {
        bool change; /* false: run as the master does; then nothing but the last two applies */
        uid_t uid;
        gid_t gid;
        const gid_t *groups;
        size_t group_count;
        bool no_new_privileges;
};

/* Change this process's credentials for good. 0, or -errno of the call that failed; -EPERM also when the kernel said yes
 * and the result is another (verified by getresuid(2), getresgid(2)). Also makes the process not dumpable (prctl(2)):
 * nobody but root may read a worker's memory before the handler is executed, which makes it dumpable again. */
int credentials_drop(const struct credentials *credentials);

/* Write /proc/self/oom_score_adj (proc(5)). 0 or -errno; -EACCES: lowering it needs CAP_SYS_RESOURCE. */
int credentials_set_oom_score_adj(int value);
