#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/process/signals.h"

static const sigset_t *only(int number)
{
        static sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, number);
        return &set;
}

static const int taken_signals[] = {SIGHUP, SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGWINCH};

/* A test changes the dispositions of its process, so each runs in a child, which returns 0 or the number of the failed
 * check. */
static void in_child(int (*body)(void))
{
        int status = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                signals_reset_all(NULL); /* the test runner, its parent and sanitizers have handlers of their own */
                _exit(body());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static bool is_default(int number)
{
        struct sigaction current;

        return sigaction(number, NULL, &current) == 0 && current.sa_handler == SIG_DFL;
}

static bool is_blocked(int number)
{
        sigset_t mask;

        sigprocmask(SIG_SETMASK, NULL, &mask);
        return sigismember(&mask, number) == 1;
}

static bool was_touched(const struct signals_taken *taken, int number)
{
        for (size_t i = 0; i < taken->touched_count; i++)
                if (taken->touched[i] == number)
                        return true;
        return false;
}

static int arrive_as_data(void)
{
        struct signals_taken taken;
        struct signals_event event;
        _cleanup_(fd_closep) int fd = -1;

        signal(SIGCHLD, SIG_IGN); /* inherited from a careless parent: the kernel would reap our children */
        if (signals_take(taken_signals, ELEMENTS(taken_signals), &taken) != 0 ||
            signals_open_fd(taken_signals, ELEMENTS(taken_signals), &fd) != 0)
                return 1;
        if (fcntl(fd, F_GETFD) != FD_CLOEXEC || !(fcntl(fd, F_GETFL) & O_NONBLOCK))
                return 2;
        if (is_default(SIGTERM) || !is_blocked(SIGTERM) || signals_read(fd, &event) != -EAGAIN)
                return 3;
        kill(getpid(), SIGTERM);
        if (signals_read(fd, &event) != 0 || event.number != SIGTERM || event.code != SI_USER ||
            event.pid != getpid() || event.uid != getuid())
                return 4;
        pid_t pid = fork();
        if (pid == 0)
                _exit(23);
        siginfo_t info;
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
        if (signals_read(fd, &event) != 0 || event.number != SIGCHLD || event.code != CLD_EXITED || event.pid != pid ||
            event.status != 23)
                return 5;
        return signals_read(fd, &event) == -EAGAIN && waitpid(pid, NULL, 0) == pid ? 0 : 6;
}

static int reset_puts_back(void)
{
        struct signals_taken taken;
        sigset_t odd;

        signal(SIGPIPE, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        sigemptyset(&odd);
        sigaddset(&odd, SIGUSR2); /* inherited as blocked */
        sigprocmask(SIG_SETMASK, &odd, NULL);
        if (signals_take(taken_signals, ELEMENTS(taken_signals), &taken) != 0)
                return 1;
        if (taken.touched_count != ELEMENTS(taken_signals) + 1 || !was_touched(&taken, SIGPIPE))
                return 2;
        if (sigismember(&taken.ignored, SIGHUP) != 1 || sigismember(&taken.ignored, SIGPIPE) != 1 ||
            sigismember(&taken.ignored, SIGTERM) != 0)
                return 3;
        if (sigismember(&taken.inherited, SIGUSR2) != 1 || sigismember(&taken.inherited, SIGTERM) != 0)
                return 4;
        signals_reset(&taken, only(SIGWINCH));
        for (int number = 1; number < NSIG; number++)
                if (number != 32 && number != 33 && number != SIGWINCH && (!is_default(number) || is_blocked(number)))
                        return 5;
        if (!is_blocked(SIGWINCH))
                return 6;
        signals_reset(&taken, NULL);
        return is_blocked(SIGWINCH) || !is_default(SIGWINCH) ? 7 : 0;
}

static int reset_all_puts_back(void)
{
        signal(SIGPIPE, SIG_IGN);
        signal(SIGRTMIN + 3, SIG_IGN);
        signals_reset_all(only(SIGWINCH));
        for (int number = 1; number < NSIG; number++)
                if (number != 32 && number != 33 && (!is_default(number) || is_blocked(number) != (number == SIGWINCH)))
                        return 1;
        return 0;
}

/* A signal that was sent before the reset must kill the child, and not be swallowed by the empty handler. */
static int nothing_vanishes(void)
{
        struct signals_taken taken;
        int status = 0;

        if (signals_take(taken_signals, ELEMENTS(taken_signals), &taken) != 0)
                return 1;
        pid_t pid = fork();
        if (pid == 0) {
                kill(getpid(), SIGTERM);
                signals_reset(&taken, NULL);
                _exit(0);
        }
        waitpid(pid, &status, 0);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 2;
}

/* A signal that stays blocked remains pending, although setting its default disposition, which ignores it, would
 * discard it. */
static int kept_blocked_waits(void)
{
        const int list[] = {SIGWINCH};
        struct signals_taken taken;
        sigset_t pending;

        if (signals_take(list, ELEMENTS(list), &taken) != 0)
                return 1;
        kill(getpid(), SIGWINCH);
        signals_reset(&taken, only(SIGWINCH));
        if (sigpending(&pending) != 0 || sigismember(&pending, SIGWINCH) != 1)
                return 2;
        signals_reset_all(only(SIGWINCH));
        return sigpending(&pending) == 0 && sigismember(&pending, SIGWINCH) == 1 ? 0 : 3;
}

static int refusal_changes_nothing(void)
{
        const int impossible[] = {SIGTERM, SIGKILL};
        const int none[] = {SIGTERM, 0};
        struct signals_taken taken;

        if (signals_take(impossible, ELEMENTS(impossible), &taken) != -EINVAL ||
            signals_take(none, ELEMENTS(none), &taken) != -EINVAL)
                return 1;
        return is_default(SIGTERM) && !is_blocked(SIGTERM) ? 0 : 2;
}

static void test_arrive_as_data(void **state)
{
        (void)state;
        in_child(arrive_as_data);
}

static void test_reset_puts_back(void **state)
{
        (void)state;
        in_child(reset_puts_back);
}

static void test_reset_all_puts_back(void **state)
{
        (void)state;
        in_child(reset_all_puts_back);
}

static void test_nothing_vanishes(void **state)
{
        (void)state;
        in_child(nothing_vanishes);
}

static void test_kept_blocked_waits(void **state)
{
        (void)state;
        in_child(kept_blocked_waits);
}

static void test_refusal_changes_nothing(void **state)
{
        (void)state;
        in_child(refusal_changes_nothing);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_arrive_as_data),      cmocka_unit_test(test_reset_puts_back),
                cmocka_unit_test(test_reset_all_puts_back), cmocka_unit_test(test_nothing_vanishes),
                cmocka_unit_test(test_kept_blocked_waits),  cmocka_unit_test(test_refusal_changes_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
