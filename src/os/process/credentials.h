/* Credentials: which privileges a worker drops, and in which order, before it touches a connection.
 *
 * worker/ calls this once, in the child. The order is setgroups, setresgid and setresuid, then a check of the result,
 * then ambient and inheritable capabilities, no_new_privs and PR_SET_DUMPABLE. If one of them fails, the worker must
 * end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct credentials {
        bool change; /* false: keep the master's ids; then only the steps after the check apply */
        uid_t uid;
        gid_t gid;
        const gid_t *groups;
        size_t group_count;
        bool no_new_privileges;
};

/* Change this process's credentials irrevocably. 0, or -errno of the call that failed; -EPERM also if getresuid(2) or
 * getresgid(2) shows other ids than those that were set. Also makes the process not dumpable (prctl(2)), so that only
 * root can read a worker's memory; execve(2) of the handler makes that process dumpable again. */
int credentials_drop(const struct credentials *credentials);

/* True if these are our supplementary groups already, in any order. */
bool credentials_has_groups(const gid_t *groups, size_t count);

/* Write /proc/self/oom_score_adj (proc(5)). 0 or -errno; -EACCES: a lower value needs CAP_SYS_RESOURCE. */
int credentials_set_oom_score_adj(int value);
