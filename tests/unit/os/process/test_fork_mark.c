#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/process/fork_mark.h"

/* The exit status of a child that looks, and that was made by fork(2) itself, without the C library's knowledge. */
static int looked_at_by_child(const struct fork_mark *mark)
{
        int status = 0;
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

        if (pid == 0)
                _exit(fork_mark_is_here(mark));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static void test_a_child_has_no_mark(void **state)
{
        struct fork_mark mark = fork_mark_make();

        (void)state;
        assert_true(fork_mark_is_here(&mark));
        assert_int_equal(looked_at_by_child(&mark), 0);
        assert_true(fork_mark_is_here(&mark));
}

static void test_without_the_kernels_help(void **state)
{
        const struct fork_mark mark = {.pid = getpid()};

        (void)state;
        assert_true(fork_mark_is_here(&mark));
        assert_int_equal(looked_at_by_child(&mark), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_child_has_no_mark),
                cmocka_unit_test(test_without_the_kernels_help),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
