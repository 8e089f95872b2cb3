#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process/process_stat.h"

static void test_of_this_process(void **state)
{
        struct process_stat stat;

        (void)state;
        assert_true(process_stat_read(getpid(), &stat));
        assert_int_equal(stat.parent, getppid());
        assert_false(stat.is_ending);
        assert_true(strlen(stat.name) > 0 && stat.born_ticks > 0);
        assert_false(process_is_ending(getpid()));
}

static void test_the_end(void **state)
{
        struct process_stat stat;
        siginfo_t info;

        (void)state;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                pause();
                _exit(0);
        }
        assert_false(process_is_ending(pid));
        kill(pid, SIGKILL);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        assert_true(process_is_ending(pid));
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(process_is_ending(pid));
        assert_false(process_stat_read(pid, &stat));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_of_this_process),
                cmocka_unit_test(test_the_end),
        };

        return cmocka_run_group_tests_name("process_stat", tests, NULL, NULL);
}
