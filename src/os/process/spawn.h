/* Making processes. The only file of the daemon that forks.
 *
 * Called by master/ for its children and by worker/ for the handler. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Fork a child that runs entry(context) and exits with what it returns (at once: no atexit, no flush). The child starts
 * with every signal blocked as in the parent. 0 or -errno (-EAGAIN: a limit on processes). */
int spawn_child(int (*entry)(void *context), void *context, pid_t *ret_pid);

struct spawn_limit {
        int resource; /* RLIMIT_… */
        struct rlimit value;
};

/* What a handler process is to be. Everything here is prepared once; only `connection` and the contents of
 * `environment` change from one connection to the next. */
struct spawn_program {
        const char *path;         /* absolute; no search */
        char *const *arguments;
        char *const *environment;
        const struct spawn_limit *limits;
        size_t limit_count;
        int connection;           /* becomes fd 0 and 1 */
        bool stderr_is_connection; /* … and 2; else fd 2 stays what the worker's is */
        const int *caught;        /* signals for which the caller has handlers (asking for all takes a while) */
        size_t caught_count;
};

/* Execute a program as a child, in a process group of its own, with an empty signal mask; signals that the caller
 * caught are default, and the caller ignores none. Descriptors beyond 0, 1, 2 must be O_CLOEXEC. Has
 * vfork(2) semantics: when it returns 0 the program is executing; -errno of vfork or of what failed before and in
 * execve (-ENOENT, -EACCES, -ENOEXEC, …), and there is no child then, and *ret_pid is left alone. The caller's signal
 * handlers do not run in between, and the first that runs afterwards finds *ret_pid stored. */
int spawn_program(const struct spawn_program *program, volatile pid_t *ret_pid);
