#include "os/process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What one process may set on an open file and others that share it would meet (O_DIRECT: packets in a pipe). */
#define CHANGED_FLAGS (O_NONBLOCK | O_ASYNC | O_DIRECT)

int spawn_child(int (*entry)(void *context), void *context, pid_t *ret_pid)
{
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(entry(context));
        *ret_pid = pid;
        return 0;
}

static void collect(pid_t pid)
{
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

struct orphan {
        int (*entry)(void *context);
        void *context;
};

/* It ends at once, so that its child has no parent. */
static int leave_orphan(void *context)
{
        const struct orphan *orphan = context;
        pid_t pid = -1;

        return -spawn_child(orphan->entry, orphan->context, &pid);
}

int spawn_orphan(int (*entry)(void *context), void *context)
{
        struct orphan orphan = {.entry = entry, .context = context};
        int status = 0;
        pid_t pid = -1;

        int r = spawn_child(leave_orphan, &orphan, &pid);
        if (r < 0)
                return r;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -EAGAIN;
}

int spawn_try(void)
{
        sigset_t all, before;

        /* As in spawn_program(). */
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): it does nothing */
        if (pid == 0)
                _exit(0);
        int r = pid < 0 ? -errno : 0;
        if (pid > 0)
                collect(pid);
        sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}

int spawn_reset_stderr(void)
{
        int flags = fcntl(STDERR_FILENO, F_GETFL);

        return flags >= 0 && (!(flags & CHANGED_FLAGS) || fcntl(STDERR_FILENO, F_SETFL, flags & ~CHANGED_FLAGS) == 0)
                       ? 0
                       : -errno;
}

/* A signal that arrives before execve(2) must not run one of the parent's handlers, which would change the parent's
 * memory. With the default disposition it has the effect that it would have a moment later. */
static int forget_signal_handlers(const struct spawn_program *program)
{
        const struct sigaction by_default = {.sa_handler = SIG_DFL};

        for (size_t i = 0; i < program->caught_count; i++)
                if (sigaction(program->caught[i], &by_default, NULL) < 0)
                        return -errno;
        return 0;
}

/* Runs between vfork and execve in the parent's memory, and so must not change it. Returns only on failure. */
static int become_program(const struct spawn_program *program)
{
        sigset_t empty;

        sigemptyset(&empty);
        if (setpgid(0, 0) < 0 || dup2(program->connection, STDIN_FILENO) < 0 ||
            dup2(program->connection, STDOUT_FILENO) < 0 ||
            (program->stderr_is_connection && dup2(program->connection, STDERR_FILENO) < 0))
                return -errno;
        int r = program->stderr_is_connection ? 0 : spawn_reset_stderr();
        if (r < 0)
                return r;
        for (size_t i = 0; i < program->limit_count; i++)
                if (setrlimit(program->limits[i].resource, &program->limits[i].value) < 0)
                        return -errno;
        r = forget_signal_handlers(program);
        if (r < 0)
                return r;
        if (sigprocmask(SIG_SETMASK, &empty, NULL) < 0)
                return -errno;
        execve(program->path, program->arguments, program->environment);
        return -errno;
}

int spawn_program(const struct spawn_program *program, volatile pid_t *ret_pid)
{
        volatile int failure = 0;
        sigset_t all, before;

        /* Block all signals, so that none of the parent's handlers runs in the child, in the parent's memory. */
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): posix_spawn() cannot do all of it */
        if (pid == 0) {
                failure = become_program(program); /* NOLINT(clang-analyzer-unix.Vfork): told by the shared memory */
                _exit(127);
        }
        int r = pid < 0 ? -errno : failure;
        if (pid > 0 && r < 0)
                collect(pid);
        if (r == 0)
                *ret_pid = pid;
        sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}
