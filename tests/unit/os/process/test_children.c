/* Children as /proc knows them: their age, and those that nobody has ordered. */
#include "child_helpers.h"

#include "os/process/children.h"

static int wait_for_kill(void *context)
{
        (void)context;
        return pause(); /* no handler returns from it */
}

static bool is_the_known(const void *context, pid_t pid)
{
        return *(const pid_t *)context == pid;
}

static bool runs(pid_t pid)
{
        return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end(pid_t pid)
{
        kill(pid, SIGKILL);
        assert_int_equal(child_wait(pid, DEADLINE_MS), -SIGKILL);
}

static void test_born(void **state)
{
        uint64_t own = children_born(getpid());
        pid_t pid = child_start(wait_for_kill, NULL);

        (void)state;
        assert_true(own > 0);
        assert_true(children_born(pid) >= own);
        end(pid);
        assert_int_equal(children_born(pid), 0);
}

static void test_strangers(void **state)
{
        (void)state;
        if (under_valgrind()) /* it does not know pidfd_open(2) */
                skip();
        pid_t known = child_start(wait_for_kill, NULL), stranger = child_start(wait_for_kill, NULL);
        uint64_t born = children_born(known);

        assert_int_equal(children_kill_strangers(getuid() + 1, born, is_the_known, &known), 0);
        assert_int_equal(children_kill_strangers(getuid(), UINT64_MAX, is_the_known, &known), 0);
        assert_true(runs(known) && runs(stranger));
        assert_int_equal(children_kill_strangers(getuid(), born, is_the_known, &known), 1);
        assert_int_equal(child_wait(stranger, DEADLINE_MS), -SIGKILL);
        assert_true(runs(known));
        end(known);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_born),
                cmocka_unit_test(test_strangers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
