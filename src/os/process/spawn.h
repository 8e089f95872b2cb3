/* Spawn: fork a child of our own, or execute a handler. The only file of the daemon that makes processes.
 *
 * Called by master/ for its children and by worker/ for the handler. Owns nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Fork a child that runs entry(context) and ends by _exit(2) with its result. The child starts with the parent's signal
 * mask. 0 or -errno (-EAGAIN: a limit on processes). */
int spawn_child(int (*entry)(void *context), void *context, pid_t *ret_pid);

/* Fork a process that runs entry(context) and ends so, and is no child of ours: nobody need collect it. 0 or -errno. */
int spawn_orphan(int (*entry)(void *context), void *context);

/* Is there room for another process? One is made, which ends at once. 0 or -errno (-EAGAIN: a limit on processes). */
int spawn_try(void);

/* Make the open file of fd 2 blocking again, whatever a former program has made of it (some do, as Node.js). Its
 * O_APPEND stays. 0 or -errno. */
int spawn_reset_stderr(void);

struct spawn_limit {
        int resource; /* RLIMIT_… */
        struct rlimit value;
};

/* Describes a handler process. All of it is prepared once; only `connection` and the contents of `environment` change
 * from one connection to the next. */
struct spawn_program {
        const char *path; /* absolute; PATH is not searched */
        char *const *arguments;
        char *const *environment;
        const struct spawn_limit *limits;
        size_t limit_count;
        int connection;            /* becomes fd 0 and 1 */
        bool stderr_is_connection; /* it becomes fd 2, too; otherwise fd 2 is the worker's, as spawn_reset_stderr()
                                      makes it */
        const int *caught;         /* signals for which the caller has handlers (a query of all would be slow) */
        size_t caught_count;
};

/* Execute a program as a child, in a process group of its own, with an empty signal mask and default dispositions (the
 * caller must not ignore signals). All descriptors except 0, 1 and 2 must be O_CLOEXEC. This has the semantics of
 * vfork(2): with 0, the program is executing. -errno of vfork(2), execve(2) or a step in between (-ENOENT, -EACCES,
 * -ENOEXEC, …): there is no child, and *ret_pid is unchanged. Signal handlers of the caller do not run during the call,
 * and afterwards they find the pid in *ret_pid. */
int spawn_program(const struct spawn_program *program, volatile pid_t *ret_pid);
