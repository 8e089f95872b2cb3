/* The touch stop alone, without a worker: a preload object that stops its program at the first touch, accepts on
 * TOUCH_LISTEN_FD, and lets a forked copy serve each connection, one after the other.
 *
 * TOUCH_FAMILY is the family's number, TOUCH_STDERR=1 gives the connection descriptor 2, too. TOUCH_SHARE=1 makes
 * copies that share the memory until they are in the program (and so go on by the frame of the signal), for one
 * connection. What refuses copies is written to TOUCH_REPORT_FD, as is "stopped" at the stop. */
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/sys.h"
#include "preload/touch/standstill.h"
#include "preload/touch/touch.h"

#define STACK 65536

static struct {
        int listener, report;
        bool share;
        char *variables[8]; /* ours, for a program that is executed next; the first is LD_PRELOAD */
        size_t count;
} state = {.listener = -1, .report = -1};

static char texts[8][4096];

static const char *value(char *variable, const char *name)
{
        size_t length = strlen(name);

        return strncmp(variable, name, length) == 0 && variable[length] == '=' ? variable + length + 1 : NULL;
}

static int number(const char *text)
{
        int n = 0;

        while (*text >= '0' && *text <= '9')
                n = n * 10 + *text++ - '0';
        return n;
}

/* Take what is ours out of the environment. */
static void read_environment(char **environment, struct touch_host *host)
{
        char **to = environment;

        for (; *environment; environment++) {
                char *variable = *environment;
                if (strncmp(variable, "TOUCH_", 6) != 0 && strncmp(variable, "LD_PRELOAD=", 11) != 0) {
                        *to++ = variable;
                        continue;
                }
                strncpy(texts[state.count], variable, sizeof(texts[0]) - 1);
                state.variables[state.count] = texts[state.count];
                state.count++;
                const char *text;
                if ((text = value(variable, "TOUCH_LISTEN_FD")))
                        state.listener = number(text);
                else if ((text = value(variable, "TOUCH_REPORT_FD")))
                        state.report = number(text);
                else if ((text = value(variable, "TOUCH_FAMILY")))
                        host->family = number(text);
                else if ((text = value(variable, "TOUCH_STDERR")))
                        host->stderr_too = *text == '1';
                else if ((text = value(variable, "TOUCH_SHARE")))
                        state.share = *text == '1';
        }
        *to = NULL;
}

static bool has_fd(int fd)
{
        return fd == state.listener || fd == state.report;
}

static unsigned next_fd(unsigned first)
{
        unsigned listener = (unsigned)state.listener, report = (unsigned)state.report, lowest = UINT32_MAX;

        if (listener >= first)
                lowest = listener;
        return report >= first && report < lowest ? report : lowest;
}

static void note(const char *name, int fd)
{
        for (size_t i = 0; i < state.count; i++) {
                size_t length = strlen(name);
                if (value(texts[i], name)) {
                        texts[i][length + 1] = (char)('0' + fd / 100);
                        texts[i][length + 2] = (char)('0' + fd / 10 % 10);
                        texts[i][length + 3] = (char)('0' + fd % 10);
                        texts[i][length + 4] = '\0';
                }
        }
}

static void make_way(int fd)
{
        if (fd == state.listener)
                state.listener = sys_move_up(fd);
        if (fd == state.report)
                state.report = sys_move_up(fd);
        note("TOUCH_LISTEN_FD", state.listener);
        note("TOUCH_REPORT_FD", state.report);
}

static void pass_on(bool keep)
{
        SYS_3(__NR_fcntl, state.listener, F_SETFD, keep ? 0 : FD_CLOEXEC);
        SYS_3(__NR_fcntl, state.report, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

static size_t environment_room(char *const *environment)
{
        size_t count = 0;

        while (environment && environment[count])
                count++;
        return count + state.count + 1;
}

static void environment_extend(char *const *environment, char **to)
{
        for (; environment && *environment; environment++)
                *to++ = *environment;
        for (size_t i = 0; i < state.count; i++)
                *to++ = state.variables[i];
        *to = NULL;
}

static void say(const char *text)
{
        sys_write(state.report, text, strlen(text));
        sys_write(state.report, "\n", 1);
}

static void refused(enum touch_refusal refusal)
{
        char why[TOUCH_REFUSAL_BYTES];

        say(touch_refusal_describe(touch_refusal_pack(refusal, standstill_culprit()), why));
        for (;;)
                SYS_1(__NR_exit_group, 3);
}

static void take_connection(int connection)
{
        touch_put_connection(connection);
        sys_close(connection);
        sys_close(state.listener);
        sys_close(state.report);
}

/* Where libc has the number of its thread. */
static int *thread_id(void)
{
        int *address = NULL;

        SYS_5(__NR_prctl, PR_GET_TID_ADDRESS, &address, 0, 0, 0);
        return address;
}

struct sharer {
        void *point;
        void (*enter)(void *point);
        int connection;
};

#if defined(__x86_64__)
/* On a stack of its own, in the memory of the worker. */
__attribute__((used)) static void go_on(const struct sharer *sharer)
{
        take_connection(sharer->connection);
        sharer->enter(sharer->point);
}

static long clone_sharer(const struct sharer *sharer)
{
        static char stack[STACK] __attribute__((aligned(16)));
        register int *r10 __asm__("r10") = thread_id();
        register long r8 __asm__("r8") = 0;
        register const struct sharer *r12 __asm__("r12") = sharer;
        long pid;

        __asm__ volatile("syscall\n\ttest %%eax, %%eax\n\tjnz 1f\n\tmovq %%r12, %%rdi\n\tcall go_on\n1:"
                         : "=a"(pid)
                         : "a"(__NR_clone), "D"((long)(CLONE_VM | SIGCHLD | (r10 ? CLONE_CHILD_SETTID : 0))),
                           "S"(stack + sizeof(stack)), "d"(0L), "r"(r10), "r"(r8), "r"(r12)
                         : "rcx", "r11", "memory");
        return pid;
}
#else
static long clone_sharer(const struct sharer *sharer)
{
        (void)sharer;
        return -ENOSYS;
}
#endif

static long fork_copy(void)
{
        int *tid = thread_id();

        return SYS_5(__NR_clone, SIGCHLD | (tid ? CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID : 0), 0, 0, tid, 0);
}

static void run(void *point, void (*enter)(void *point))
{
        say("stopped");
        for (;;) {
                struct sharer sharer = {.point = point, .enter = enter};
                sharer.connection = (int)SYS_4(__NR_accept4, state.listener, NULL, NULL, SOCK_CLOEXEC);
                if (sharer.connection < 0)
                        SYS_1(__NR_exit_group, 1);
                long pid = state.share ? clone_sharer(&sharer) : fork_copy();
                if (pid == 0) {
                        take_connection(sharer.connection);
                        return;
                }
                sys_close(sharer.connection);
                SYS_4(__NR_wait4, pid, NULL, 0, NULL);
                if (state.share)
                        SYS_1(__NR_exit_group, 0); /* its memory is the program's after the end */
        }
}

__attribute__((constructor)) static void begin(int argc, char **argv, char **environment)
{
        static struct touch_host host = {
                .has_fd = has_fd,
                .next_fd = next_fd,
                .make_way = make_way,
                .pass_on = pass_on,
                .environment_room = environment_room,
                .environment_extend = environment_extend,
                .run = run,
                .refused = refused,
        };

        (void)argc;
        (void)argv;
        read_environment(environment, &host);
        if (state.listener < 0)
                return;
        pass_on(false);
        int r = touch_begin(&host);
        if (r < 0) {
                say("no dispatch");
                SYS_1(__NR_exit_group, 4);
        }
}
