#include "preload/rollback/loop.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/wait.h>

#include "lib/sys.h"

/* The memory of a process that ended by one of these is not trusted any more. All other ends, by exit or by a signal,
 * say nothing about it. */
#define CRASHES                                                                                                        \
        (sys_signal_bit(SIGSEGV) | sys_signal_bit(SIGABRT) | sys_signal_bit(SIGBUS) | sys_signal_bit(SIGILL) |         \
         sys_signal_bit(SIGFPE) | sys_signal_bit(SIGSYS) | sys_signal_bit(SIGTRAP))

_Noreturn void loop_give_up(const struct loop *loop, enum rollback_obstacle obstacle, long detail)
{
        loop->host->unfit(obstacle, detail);
        loop->host->leave();
}

/* The new process, on a stack of its own; all signals are blocked. */
static _Noreturn void begin_process(struct loop *loop)
{
        loop->host->enter((int)loop->connection, loop->clears_handlers);
        thread_state_attach(&loop->thread);
        loop->resume->enter(loop->resume);
}

#if defined(__x86_64__)
/* Call clone(2) or clone3(2): each takes its own of these arguments. The new process goes on in begin_process().
 * Returns the pid or -errno. */
static long clone_by(struct loop *loop, long number, unsigned long first, unsigned long second)
{
        register long id __asm__("r10") = (long)loop->thread.id;
        register long tls __asm__("r8") = 0;
        register struct loop *argument __asm__("r12") = loop;
        long pid;

        __asm__ volatile("syscall\n\t"
                         "testq %%rax, %%rax\n\t"
                         "jnz 1f\n\t"
                         "xorl %%ebp, %%ebp\n\t"
                         "movq %%r12, %%rdi\n\t"
                         "callq *%[begin]\n\t"
                         "1:"
                         : "=a"(pid)
                         : "a"(number), "D"(first), "S"(second), "d"(0), "r"(id), "r"(tls),
                           "r"(argument), [begin] "r"(begin_process)
                         : "rcx", "r11", "memory");
        return pid;
}
#endif

/* As fork(2) makes one, but in this memory and on another stack. With `clears_handlers`, the actions of signals that
 * have a handler are as by default; clone3(2) is not to be had before Linux 5.5, or in a sandbox. Returns the pid or
 * -errno. */
static long make_process_by(struct loop *loop, bool clears_handlers)
{
#if defined(__x86_64__)
        const unsigned long flags = CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
        const struct clone_args arguments = {
                .flags = flags | CLONE_CLEAR_SIGHAND,
                .child_tid = (uintptr_t)loop->thread.id,
                .exit_signal = SIGCHLD,
                .stack = (uintptr_t)loop->process_stack,
                .stack_size = sizeof(loop->process_stack),
        };

        if (clears_handlers)
                return clone_by(loop, __NR_clone3, (uintptr_t)&arguments, sizeof(arguments));
        return clone_by(loop, __NR_clone, flags | SIGCHLD,
                        (uintptr_t)loop->process_stack + sizeof(loop->process_stack));
#else
        (void)begin_process;
        (void)clears_handlers;
        return loop ? -ENOSYS : 0;
#endif
}

static long make_process(struct loop *loop)
{
        if (loop->clears_handlers) {
                long pid = make_process_by(loop, true);
                if (pid != -ENOSYS && pid != -EPERM && pid != -EINVAL)
                        return pid;
                loop->clears_handlers = false;
        }
        return make_process_by(loop, false);
}

static enum rollback_obstacle put_back(struct loop *loop, int status)
{
        enum memory_calls_effect effect = memory_calls_take();
        enum rollback_obstacle obstacle;

        if (WIFSIGNALED(status) && CRASHES & sys_signal_bit(WTERMSIG(status)))
                return ROLLBACK_CRASHED;
        if (SYS_1(__NR_unshare, CLONE_VM) < 0) /* no effect, except that it fails if anybody shares this memory */
                return ROLLBACK_STILL_SHARED;
        obstacle = memory_attributes_put_back(&loop->attributes);
        if (obstacle == ROLLBACK_NO_OBSTACLE)
                obstacle = address_space_put_right(&loop->space, &loop->checkpoint, effect);
        if (obstacle != ROLLBACK_NO_OBSTACLE)
                return obstacle;
        if (restore_all(&loop->restore) < 0)
                return ROLLBACK_TRACKING_FAILED;
        open_files_put_back(&loop->files);
        return ROLLBACK_NO_OBSTACLE;
}

static void verify(const struct loop *loop)
{
        uintptr_t page = 0;

        if (loop->verify && restore_verify(&loop->checkpoint, &page) > 0)
                loop_give_up(loop, ROLLBACK_NOT_PRISTINE, (long)page);
}

/* Signals are blocked until the new process has set its own actions: ours must not run in it. */
static pid_t begin(struct loop *loop)
{
        uint64_t all = UINT64_MAX;

        SYS_4(__NR_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof(all));
        long pid = make_process(loop);
        while (pid < 0 && loop->host->endure(pid))
                pid = make_process(loop);
        SYS_1(__NR_close, loop->connection);
        if (pid < 0)
                loop_give_up(loop, ROLLBACK_NO_PROCESS, pid);
        loop->host->made((pid_t)pid);
        return (pid_t)pid;
}

/* Children that the program has given to its parent (CLONE_PARENT) and that have ended. */
static void collect_others(void)
{
        while (SYS_4(__NR_wait4, -1, 0, __WALL | WNOHANG, 0) > 0)
                ;
}

_Noreturn void loop_run(struct loop *loop)
{
        struct rusage usage = {0};
        int status = 0;

        for (;;) {
                loop->connection = loop->host->wait();
                if (loop->connection < 0)
                        loop->host->leave();
                pid_t pid = begin(loop);
                loop->host->collect(pid, &status, &usage);
                collect_others();
                if (!loop->host->ended(status, &usage))
                        loop->host->leave();
                enum rollback_obstacle obstacle = put_back(loop, status);
                if (obstacle != ROLLBACK_NO_OBSTACLE)
                        loop_give_up(loop, obstacle, status);
                verify(loop);
        }
}
