#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/process/resource.h"

#define NOBODY 65534

/* ./check shows the reason with the count of what was skipped. */
static void skip_because(const char *reason)
{
        print_message("# skip: %s\n", reason);
        skip();
}

/* A test changes the limits of its process, so each runs in a child, which returns 0 or the number of the failed
 * check. */
static void in_child(int (*body)(void))
{
        if (getenv("PREFORKD_UNDER_VALGRIND"))
                skip_because("valgrind keeps RLIMIT_NOFILE to itself");

        int status = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(body());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static int limited_to(rlim_t soft, rlim_t hard)
{
        const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};

        return resource_set(RESOURCE_NOFILE, &limit);
}

static int soft_is_raised(void)
{
        struct resource_raise raise;
        struct rlimit now;

        if (limited_to(100, 200) != 0 || resource_raise_nofile(150, &raise) != 0)
                return 1;
        if (raise.original.rlim_cur != 100 || raise.original.rlim_max != 200 || raise.reached != 150)
                return 2;
        getrlimit(RLIMIT_NOFILE, &now);
        return now.rlim_cur == 150 && now.rlim_max == 200 ? 0 : 3;
}

static int enough_is_left_alone(void)
{
        struct resource_raise raise;
        struct rlimit now;

        if (limited_to(100, 200) != 0 || resource_raise_nofile(50, &raise) != 0 || raise.reached != 100)
                return 1;
        getrlimit(RLIMIT_NOFILE, &now);
        return now.rlim_cur == 100 && now.rlim_max == 200 ? 0 : 2;
}

static int trying_changes_nothing(void)
{
        struct resource_raise raise;
        struct rlimit now;

        if (limited_to(100, 200) != 0 || resource_try_nofile(150, &raise) != 0 || raise.reached != 150)
                return 1;
        if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
                return 2;
        if (resource_try_nofile(300, &raise) != -EPERM || raise.reached != 200)
                return 3;
        if (resource_try_nofile(raise.ceiling + 1, &raise) != -ERANGE)
                return 4;
        getrlimit(RLIMIT_NOFILE, &now);
        return now.rlim_cur == 100 && now.rlim_max == 200 ? 0 : 5;
}

static int hard_needs_privilege(void)
{
        struct resource_raise raise;

        if (limited_to(100, 200) != 0)
                return 1;
        if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
                return 2;
        if (resource_raise_nofile(300, &raise) != -EPERM)
                return 3;
        if (raise.original.rlim_cur != 100 || raise.reached != 200 || raise.ceiling < 1000)
                return 4;
        return resource_raise_nofile(raise.ceiling + 1, &raise) == -ERANGE && raise.reached == 200 ? 0 : 5;
}

/* Root in a container may lack the capability. */
static bool may_raise_hard(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

        return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1U << CAP_SYS_RESOURCE));
}

static int hard_is_raised_with_privilege(void)
{
        struct resource_raise raise;
        struct rlimit now;

        if (limited_to(100, 200) != 0 || resource_raise_nofile(300, &raise) != 0 || raise.reached != 300)
                return 1;
        getrlimit(RLIMIT_NOFILE, &now);
        if (now.rlim_cur != 300 || now.rlim_max != 300)
                return 2;
        if (resource_raise_nofile(raise.ceiling + 1, &raise) != -ERANGE || raise.reached != 300)
                return 3;
        return 0;
}

static int restored(void)
{
        struct resource_limits limits, now;
        struct resource_raise raise;
        const struct rlimit core = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};

        if (limited_to(100, 200) != 0 || resource_read(&limits) != 0 || resource_raise_nofile(180, &raise) != 0)
                return 1;
        if (limits.of[RESOURCE_CORE].rlim_max == RLIM_INFINITY && resource_set(RESOURCE_CORE, &core) != 0)
                return 2;
        if (resource_restore(&limits) != 0 || resource_read(&now) != 0)
                return 3;
        for (int i = 0; i < RESOURCE_COUNT; i++)
                if (now.of[i].rlim_cur != limits.of[i].rlim_cur || now.of[i].rlim_max != limits.of[i].rlim_max)
                        return 4;
        return now.of[RESOURCE_NOFILE].rlim_cur == 100 ? 0 : 5;
}

static void test_soft_is_raised(void **state)
{
        (void)state;
        in_child(soft_is_raised);
}

static void test_enough_is_left_alone(void **state)
{
        (void)state;
        in_child(enough_is_left_alone);
}

static void test_trying_changes_nothing(void **state)
{
        (void)state;
        in_child(trying_changes_nothing);
}

static void test_hard_needs_privilege(void **state)
{
        (void)state;
        in_child(hard_needs_privilege);
}

static void test_hard_is_raised_with_privilege(void **state)
{
        (void)state;
        if (!may_raise_hard())
                skip_because("needs CAP_SYS_RESOURCE");
        in_child(hard_is_raised_with_privilege);
}

static void test_restored(void **state)
{
        (void)state;
        in_child(restored);
}

static void test_set_refuses_soft_above_hard(void **state)
{
        const struct rlimit wrong = {.rlim_cur = 20, .rlim_max = 10};

        (void)state;
        assert_int_equal(resource_set(RESOURCE_NPROC, &wrong), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_soft_is_raised),
                cmocka_unit_test(test_enough_is_left_alone),
                cmocka_unit_test(test_trying_changes_nothing),
                cmocka_unit_test(test_hard_needs_privilege),
                cmocka_unit_test(test_hard_is_raised_with_privilege),
                cmocka_unit_test(test_restored),
                cmocka_unit_test(test_set_refuses_soft_above_hard),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
