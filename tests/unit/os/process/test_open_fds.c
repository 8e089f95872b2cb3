#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/process/open_fds.h"
#include "unit/filter_helpers.h"

/* Run `body` in a child, whose descriptors are its own, and expect it to return 0; otherwise the number of the check
 * that failed. */
static void in_child(int (*body)(void))
{
        int status = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(body());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static int is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

static int open_at(int fd, int flags)
{
        int opened = open("/dev/null", O_RDWR);
        int r = dup3(opened, fd, flags);

        if (opened != fd)
                close(opened);
        return r;
}

static int keeps_the_list(void)
{
        /* Not sorted, with neighbours, a duplicate, one that is none, and one that is not open. */
        const int keep[] = {500, 2, -1, 40, 41, 500, 77};
        const int others[] = {0, 1, 3, 39, 42, 499, 501, 1000};

        for (size_t i = 0; i < ELEMENTS(others); i++)
                open_at(others[i], 0);
        open_at(500, O_CLOEXEC);
        open_at(40, 0);
        open_at(41, O_CLOEXEC);
        if (fds_close_all_except(keep, ELEMENTS(keep)) != 0)
                return 1;
        for (size_t i = 0; i < ELEMENTS(others); i++)
                if (is_open(others[i]))
                        return 2;
        if (!is_open(2) || fcntl(40, F_GETFD) != 0 || is_open(77))
                return 3;
        return fcntl(41, F_GETFD) == FD_CLOEXEC && fcntl(500, F_GETFD) == FD_CLOEXEC ? 0 : 4;
}

static int keeps_the_first(void)
{
        const int keep[] = {0, 1, 2};

        open_at(3, 0);
        if (fds_close_all_except(keep, ELEMENTS(keep)) != 0)
                return 1;
        return is_open(0) && is_open(1) && is_open(2) && !is_open(3) ? 0 : 2;
}

static int keeps_nothing(void)
{
        open_at(700, 0);
        if (fds_close_all_except(NULL, 0) != 0)
                return 1;
        return is_open(0) || is_open(2) || is_open(700) ? 2 : 0;
}

/* All of the above: where close_range(2) fails, and where /proc is missing as well. */
static int each_case(void)
{
        static int (*const cases[])(void) = {keeps_the_list, keeps_the_first, keeps_nothing};
        int failed = 0;

        for (size_t i = 0; i < ELEMENTS(cases) && failed == 0; i++) {
                int status = 0;
                pid_t pid = fork();
                if (pid == 0)
                        _exit(cases[i]());
                waitpid(pid, &status, 0);
                failed = status == 0 ? 0 : 1 + (int)i;
        }
        return failed;
}

static int refused_by_an_old_filter(void)
{
        struct sock_filter program[] = {LOAD_NUMBER, FAIL(SYS_close_range, EPERM), ALLOW};

        return forbid(program, ELEMENTS(program)) ? 100 : each_case();
}

static int unknown_to_the_kernel(void)
{
        struct sock_filter program[] = {LOAD_NUMBER, FAIL(SYS_close_range, ENOSYS), ALLOW};

        return forbid(program, ELEMENTS(program)) ? 100 : each_case();
}

static int unlisted(int error)
{
        struct sock_filter program[] = {LOAD_NUMBER, FAIL(SYS_close_range, ENOSYS), FAIL(SYS_getdents64, error), ALLOW};

        return forbid(program, ELEMENTS(program)) ? 100 : each_case();
}

static int without_proc(void)
{
        return unlisted(ENOENT);
}

/* An empty directory at the place of the listing. */
static int with_an_empty_proc(void)
{
        return unlisted(0);
}

static void test_without_close_range(void **state)
{
        (void)state;
        in_child(refused_by_an_old_filter);
        in_child(unknown_to_the_kernel);
        in_child(without_proc);
        in_child(with_an_empty_proc);
}

static void test_keeps_the_list(void **state)
{
        (void)state;
        in_child(keeps_the_list);
}

static void test_keeps_the_first(void **state)
{
        (void)state;
        in_child(keeps_the_first);
}

static void test_keeps_nothing(void **state)
{
        (void)state;
        in_child(keeps_nothing);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keeps_the_list),
                cmocka_unit_test(test_keeps_the_first),
                cmocka_unit_test(test_keeps_nothing),
                cmocka_unit_test(test_without_close_range),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
