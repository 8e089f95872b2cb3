/* sys_start_copy() where it is used: on the stack of a worker that serves by rollback, which fork(2) does not copy. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "lib/sys.h"

#define STACK_BYTES (64 << 10)

static ucontext_t test_context, stack_context;
static int pipe_fds[2];
static volatile sig_atomic_t was_handled;

static void on_signal(int number)
{
        (void)number;
        was_handled = 1;
}

/* A signal is blocked in it: its frame might not fit, and the memory is the worker's. */
static void say(void *context)
{
        SYS_2(__NR_kill, sys_getpid(), SIGUSR1);
        SYS_3(__NR_write, pipe_fds[1], context, 1);
        sys_exit(0);
}

static void start_on_this_stack(void)
{
        _Alignas(16) char stack[SYS_COPY_STACK];
        char word = 'x';

        pid_t pid = sys_start_copy(say, &word, stack);
        if (pid > 0)
                sys_await_copy(pid);
}

static void test_it_runs(void **state)
{
        const struct sigaction action = {.sa_handler = on_signal};
        uint64_t before = 0, after = 0;
        char word = 0;

        (void)state;
        if (getenv("PREFORKD_UNDER_VALGRIND")) /* which does not know such processes */
                skip();
        void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(stack, MAP_FAILED);
        assert_int_equal(madvise(stack, STACK_BYTES, MADV_DONTFORK), 0);
        assert_int_equal(sys_pipe(pipe_fds), 0);
        assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
        SYS_4(__NR_rt_sigprocmask, SIG_BLOCK, NULL, &before, sizeof(before));
        assert_int_equal(getcontext(&stack_context), 0);
        stack_context.uc_stack = (stack_t){.ss_sp = stack, .ss_size = STACK_BYTES};
        stack_context.uc_link = &test_context;
        makecontext(&stack_context, start_on_this_stack, 0);
        assert_int_equal(swapcontext(&test_context, &stack_context), 0);
        sys_close(pipe_fds[1]);
        assert_int_equal(sys_read(pipe_fds[0], &word, 1), 1);
        assert_int_equal(word, 'x');
        assert_false(was_handled);
        SYS_4(__NR_rt_sigprocmask, SIG_BLOCK, NULL, &after, sizeof(after));
        assert_int_equal(before, after);
        sys_close(pipe_fds[0]);
        munmap(stack, STACK_BYTES);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_runs),
        };

        return cmocka_run_group_tests_name("start_copy", tests, NULL, NULL);
}
