/* A preload object for tests of copy by rollback: the sources of preload/rollback with the least that serves by them,
 * and nothing of preforkd around it. It stops a program before main(), keeps one worker at a time, and writes down what
 * becomes of it.
 *
 * Variables: ROLLBACK_LISTENER descriptor; ROLLBACK_NOTES descriptor of a file for notes; ROLLBACK_OPTIONS letters:
 * t tracking, c copying, s strict, v verify, i image of the template, f instead fork(2) for each connection;
 * ROLLBACK_MOST connections a worker; ROLLBACK_COPYING_MOST bytes; ROLLBACK_WORKERS how many at a time. */
/* NOLINTBEGIN: names of libc's */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys.h"
#include "preload/rollback/loop.h"
#include "preload/rollback/rollback.h"

#define EXPORT __attribute__((visibility("default")))

enum { FIRST_FD = 60 };

typedef int main_function(int, char **, char **);

static struct {
        main_function *main;
        int argc;
        char **argv, **environment;
        int listener, notes;
        long served, most;
        bool is_forking;
} state;

static struct thread_state thread;
static struct resume resume;
static struct rollback_options options;

static void write_note(const char *line, int length)
{
        SYS_3(__NR_write, state.notes, line, length);
}

static long wait_for_connection(void)
{
        long r;

        do
                r = SYS_4(__NR_accept4, state.listener, NULL, NULL, SOCK_CLOEXEC);
        while (r == -EINTR || r == -ECONNABORTED);
        return r;
}

static void enter(int connection, bool is_cleared)
{
        uint64_t none = 0;

        (void)is_cleared;
        SYS_3(__NR_dup3, connection, 0, 0);
        SYS_3(__NR_dup3, connection, 1, 0);
        SYS_1(__NR_close, connection);
        SYS_3(__NR_close_range, FIRST_FD, ~0U, 0);
        SYS_4(__NR_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof(none));
}

static void made(pid_t pid)
{
        uint64_t none = 0;

        (void)pid;
        SYS_4(__NR_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof(none));
}

static void collect(pid_t pid, int *ret_status, struct rusage *ret_usage)
{
        while (SYS_4(__NR_wait4, pid, ret_status, __WALL, ret_usage) == -EINTR)
                ;
}

static bool ended(int status, const struct rusage *usage)
{
        (void)status;
        (void)usage;
        return ++state.served < state.most;
}

/* The worker's stack is rollback's, and stdio of this object's libc is put back: so the line is made without it. */
static void unfit(enum rollback_obstacle obstacle, long detail)
{
        const char *text = rollback_obstacle_text(obstacle);
        char line[200] = "unfit: ";
        size_t length = 7;

        for (; *text; text++)
                line[length++] = *text;
        for (const char *in = " ("; *in; in++)
                line[length++] = *in;
        for (int shift = 60; shift >= 0; shift -= 4)
                line[length++] = "0123456789abcdef"[detail >> shift & 15];
        line[length++] = ')';
        line[length++] = '\n';
        SYS_3(__NR_write, state.notes, line, length);
}

static __attribute__((noreturn)) void leave(void)
{
        for (;;)
                SYS_1(__NR_exit_group, 0);
}

static const struct rollback_host host = {
        .wait = wait_for_connection,
        .enter = enter,
        .made = made,
        .collect = collect,
        .ended = ended,
        .unfit = unfit,
        .leave = leave,
};

__attribute__((used)) static void call_main(void)
{
        exit(state.main(state.argc, state.argv, state.environment));
}

/* Nothing called this, for those who unwind the stack: pthread_exit(3) does. */
__asm__(".pushsection .text\n"
        "enter_main:\n\t"
        ".cfi_startproc\n\t"
        ".cfi_undefined rip\n\t"
        "movq (%rdi), %rsp\n\t"
        "xorl %ebp, %ebp\n\t"
        "andq $-16, %rsp\n\t"
        "cld\n\t"
        "callq call_main\n\t"
        "hlt\n\t"
        ".cfi_endproc\n"
        ".popsection");
__attribute__((noreturn)) void enter_main(const struct resume *where);

/* For comparison, in the same surroundings. */
static __attribute__((noreturn)) void fork_each(void)
{
        for (;;) {
                long connection = wait_for_connection();
                long pid = SYS_5(__NR_clone, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, 0, thread.id, 0);
                if (pid == 0) {
                        enter((int)connection, false);
                        enter_main(&resume);
                }
                SYS_1(__NR_close, connection);
                SYS_4(__NR_wait4, pid, 0, 0, 0);
        }
}

_Static_assert(offsetof(struct resume, stack) == 0, "as enter_main has it");

static __attribute__((noreturn)) void be_worker(pid_t template)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != template) /* it has died meanwhile, and no signal comes */
                _exit(0);
        if (state.is_forking)
                fork_each();
        rollback_run(&options, &resume);
}

static void start_worker(void)
{
        char line[40];
        pid_t template = getpid();
        long pid = SYS_5(__NR_clone, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, 0, thread.id, 0);

        if (pid == 0)
                be_worker(template);
        write_note(line, snprintf(line, sizeof(line), "worker %ld\n", pid));
}

static __attribute__((noreturn)) void be_template(int workers)
{
        char line[200];
        struct rollback_finding finding;
        enum rollback_obstacle obstacle = rollback_check(&options, &finding);

        if (obstacle != ROLLBACK_NO_OBSTACLE) {
                write_note(line, snprintf(line, sizeof(line), "refused: %s (%ld)\n", rollback_obstacle_text(obstacle),
                                          finding.detail));
                _exit(3);
        }
        write_note(line, snprintf(line, sizeof(line), "way: %s\n",
                                  finding.way == ROLLBACK_TRACKING ? "tracking" : "copying"));
        for (int i = 0; i < workers; i++)
                start_worker();
        for (;;) {
                int status = 0;
                if (waitpid(-1, &status, 0) < 0)
                        continue;
                write_note(line, snprintf(line, sizeof(line), "ended %d\n", status));
                start_worker();
        }
}

static long number(const char *name, long missing)
{
        const char *value = getenv(name);

        return value ? strtol(value, NULL, 10) : missing;
}

static int stop(int argc, char **argv, char **environment)
{
        const char *letters = getenv("ROLLBACK_OPTIONS");
        long workers = number("ROLLBACK_WORKERS", 1);

        if (!letters)
                return state.main(argc, argv, environment);
        state.argc = argc;
        state.argv = argv;
        state.environment = environment;
        state.listener = fcntl((int)number("ROLLBACK_LISTENER", -1), F_DUPFD_CLOEXEC, FIRST_FD);
        state.notes = fcntl((int)number("ROLLBACK_NOTES", -1), F_DUPFD_CLOEXEC, FIRST_FD);
        state.most = number("ROLLBACK_MOST", 1L << 60);
        state.is_forking = strchr(letters, 'f');
        close((int)number("ROLLBACK_LISTENER", -1));
        close((int)number("ROLLBACK_NOTES", -1));
        thread_state_read(&thread);
        resume = (struct resume){.stack = ((uintptr_t)__builtin_frame_address(0) & ~UINT64_C(15)) - 4096,
                                 .enter = enter_main};
        options = (struct rollback_options){
                .host = &host,
                .thread = &thread,
                .way = strchr(letters, 't')   ? ROLLBACK_TRACKING
                       : strchr(letters, 'c') ? ROLLBACK_COPYING
                                              : ROLLBACK_FASTEST,
                .first_fd = FIRST_FD,
                .strict = strchr(letters, 's'),
                .verify = strchr(letters, 'v'),
                .copying_most = (size_t)number("ROLLBACK_COPYING_MOST", 0),
                .image_fd = strchr(letters, 'i') ? rollback_image(&resume, FIRST_FD) : -1,
        };
        for (char **variable = environment; *variable;)
                if (strncmp(*variable, "ROLLBACK_", 9) == 0 || strncmp(*variable, "LD_PRELOAD=", 11) == 0)
                        for (char **next = variable; (*next = next[1]); next++)
                                ;
                else
                        variable++;
        be_template((int)workers);
}

EXPORT int __libc_start_main(main_function *function, int argc, char **argv, main_function *init, void (*fini)(void),
                             void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(main_function *function, int argc, char **argv, main_function *init, void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
        __typeof__(__libc_start_main) *next = dlsym(RTLD_NEXT, "__libc_start_main");

        state.main = function;
        return next(stop, argc, argv, init, fini, rtld_fini, stack_end);
}
/* NOLINTEND */
