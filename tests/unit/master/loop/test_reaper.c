/* The reaper: children that are known when they end, and those whose launch says only afterwards which they were. */
#include "child_helpers.h"

#include <sched.h>
#include <linux/sched.h>

#include "base/log.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "os/clock.h"

#define KEPT 128 /* the reaper keeps no more */

static struct evloop *loop;
static struct reaper *reaper;
static unsigned warnings;

/* What somebody who has registered was told. */
struct told {
        unsigned times;
        pid_t pid;
        int status;
        long cpu_us;
};

static void note(void *context, pid_t pid, int status, const struct rusage *usage)
{
        struct told *told = context;

        told->times++;
        told->pid = pid;
        told->status = status;
        told->cpu_us = usage->ru_utime.tv_sec * 1000000 + usage->ru_utime.tv_usec + usage->ru_stime.tv_sec * 1000000 +
                       usage->ru_stime.tv_usec;
}

static void write_log(void *context, const struct log_record *record)
{
        (void)context;
        warnings += record->priority == LOG_WARNING;
}

static int setup(void **state)
{
        static const struct log_sink sink = {.write = write_log};

        (void)state;
        alarm(100);
        warnings = 0;
        log_set_sink(&sink, LOG_INFO);
        return evloop_new(&loop) < 0 || reaper_new(loop, &reaper) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        (void)state;
        reaper_free(reaper);
        evloop_free(loop);
        log_set_sink(NULL, LOG_INFO);
        return 0;
}

static void stop(void *context)
{
        (void)context;
        evloop_stop(loop);
}

/* Whatever was to happen at the next turn has happened. */
static void turn(void)
{
        struct evloop_timer *timer;

        assert_int_equal(evloop_timer_new(loop, stop, NULL, &timer), 0);
        evloop_timer_set(timer, clock_now_ms() + 1);
        evloop_run(loop);
        evloop_timer_free(timer);
}

static int exit_with(void *context)
{
        return *(const int *)context;
}

/* A child that has ended and was not collected. */
static pid_t ended_child(int code)
{
        pid_t pid = child_start(exit_with, &code);
        siginfo_t info;

        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        return pid;
}

/* One that was collected before anybody knew it. */
static pid_t lost_child(int code)
{
        pid_t pid = ended_child(code);

        reaper_collect(reaper);
        assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
        return pid;
}

static int wait_for_kill(void *context)
{
        (void)context;
        return pause(); /* no handler returns from it */
}

static void end_child(pid_t pid)
{
        siginfo_t info;

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* A child that waits, of that number; 0: we may not choose one. */
static pid_t child_of_number(pid_t number)
{
        struct clone_args arguments = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1};
        pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                wait_for_kill(NULL);
        }
        return pid < 0 ? 0 : pid;
}

static void assert_exited(const struct told *told, pid_t pid, int code)
{
        assert_int_equal(told->times, 1);
        assert_int_equal(told->pid, pid);
        assert_true(WIFEXITED(told->status));
        assert_int_equal(WEXITSTATUS(told->status), code);
}

static void test_a_known_child_is_told_of_once(void **state)
{
        struct told told = {0};

        (void)state;
        pid_t pid = ended_child(7);
        assert_int_equal(reaper_add(reaper, pid, note, &told), 0);
        assert_int_equal(told.times, 0);
        reaper_collect(reaper);
        assert_exited(&told, pid, 7);
        reaper_collect(reaper);
        turn();
        assert_int_equal(told.times, 1);
}

static void test_only_who_has_registered_may_signal(void **state)
{
        struct told told = {0}, other = {0};

        (void)state;
        pid_t pid = child_start(wait_for_kill, NULL);
        assert_int_equal(reaper_kill(reaper, pid, &told, SIGKILL), -ESRCH);
        assert_int_equal(reaper_add(reaper, pid, note, &told), 0);
        assert_int_equal(reaper_kill(reaper, pid, &other, SIGKILL), -ESRCH);
        assert_int_equal(reaper_kill(reaper, pid, &told, SIGKILL), 0);
        siginfo_t info;
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        reaper_collect(reaper);
        assert_true(WIFSIGNALED(told.status) && WTERMSIG(told.status) == SIGKILL);
        assert_int_equal(reaper_kill(reaper, pid, &told, SIGKILL), -ESRCH);
}

static void test_a_pid_is_registered_once(void **state)
{
        struct told told = {0}, other = {0};

        (void)state;
        pid_t pid = ended_child(3);
        assert_int_equal(reaper_add(reaper, pid, note, &told), 0);
        assert_int_equal(reaper_add(reaper, pid, note, &other), -EEXIST);
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &other), -EEXIST);
        reaper_collect(reaper);
        assert_exited(&told, pid, 3);
        assert_int_equal(other.times, 0);
}

static void test_a_status_from_before_the_registration_comes_later_and_once(void **state)
{
        struct told told = {0};

        (void)state;
        uint64_t asked_ms = clock_now_ms();
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = lost_child(5);
        assert_int_equal(reaper_add_late(reaper, pid, asked_ms, note, &told), 0);
        assert_int_equal(told.times, 0);
        reaper_end_launch(reaper); /* what somebody has asked for is not forgotten */
        assert_int_equal(told.times, 0);
        assert_int_equal(reaper_kill(reaper, pid, &told, SIGKILL), -ESRCH); /* the number may be a stranger's by now */
        turn();
        assert_exited(&told, pid, 5);
        turn();
        reaper_collect(reaper);
        assert_int_equal(told.times, 1);
}

static int use_cpu(void *context)
{
        struct rusage usage = {0};

        (void)context;
        while (usage.ru_utime.tv_sec == 0 && usage.ru_utime.tv_usec < 20000)
                getrusage(RUSAGE_SELF, &usage);
        return 0;
}

static void test_the_usage_is_kept_as_well(void **state)
{
        struct told told = {0};
        siginfo_t info;

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = child_start(use_cpu, NULL);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        reaper_collect(reaper);
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &told), 0);
        reaper_end_launch(reaper);
        turn();
        assert_exited(&told, pid, 0);
        assert_true(told.cpu_us >= 20000);
}

static void test_collecting_delivers_what_was_asked_for(void **state)
{
        struct told told = {0};

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = lost_child(6);
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &told), 0);
        reaper_collect(reaper); /* no turn is needed before a hand-over */
        assert_exited(&told, pid, 6);
        turn();
        assert_int_equal(told.times, 1);
        reaper_end_launch(reaper);
}

static void test_a_late_child_that_lives_is_one_like_any_other(void **state)
{
        struct told told = {0};

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = child_start(wait_for_kill, NULL);
        assert_int_equal(reaper_add_late(reaper, pid, clock_now_ms(), note, &told), 0);
        reaper_end_launch(reaper);
        turn();
        assert_int_equal(told.times, 0);
        assert_int_equal(reaper_kill(reaper, pid, &told, 0), 0);
        end_child(pid);
        reaper_collect(reaper);
        assert_int_equal(told.times, 1);
        assert_true(WIFSIGNALED(told.status));
}

static void test_what_is_no_child_cannot_be_registered_late(void **state)
{
        static const pid_t strangers[] = {-1, 0, 1};
        struct told told = {0};

        (void)state;
        for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
                assert_int_equal(reaper_add_late(reaper, strangers[i], 0, note, &told), -ECHILD);
        assert_int_equal(reaper_add_late(reaper, getpid(), 0, note, &told), -ECHILD);
}

static void test_an_unknown_child_without_a_launch_is_forgotten(void **state)
{
        struct told told = {0};

        (void)state;
        pid_t pid = lost_child(1);
        assert_int_equal(reaper_begin_launch(reaper), 0);
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &told), -ECHILD);
        reaper_end_launch(reaper);
        turn();
        assert_int_equal(told.times, 0);
}

static void test_the_end_of_the_last_launch_forgets(void **state)
{
        struct told first = {0}, second = {0}, third = {0};

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t one = lost_child(1), two = lost_child(2), three = lost_child(3);
        assert_int_equal(reaper_add_late(reaper, one, 0, note, &first), 0);
        reaper_end_launch(reaper);
        assert_int_equal(reaper_add_late(reaper, two, 0, note, &second), 0);
        reaper_end_launch(reaper);
        assert_int_equal(reaper_add_late(reaper, three, 0, note, &third), -ECHILD);
        turn();
        assert_exited(&first, one, 1);
        assert_exited(&second, two, 2);
        assert_int_equal(third.times, 0);
}

static void test_the_oldest_go_when_there_are_too_many(void **state)
{
        static pid_t pids[KEPT + 3];
        static struct told told[KEPT + 3];

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        for (size_t i = 0; i < KEPT; i++)
                pids[i] = lost_child((int)i);
        assert_int_equal(warnings, 0);
        for (size_t i = KEPT; i < KEPT + 3; i++)
                pids[i] = lost_child((int)i);
        assert_int_equal(warnings, 1);
        for (size_t i = 0; i < KEPT + 3; i++)
                assert_int_equal(reaper_add_late(reaper, pids[i], 0, note, &told[i]), i < 3 ? -ECHILD : 0);
        reaper_end_launch(reaper);
        turn();
        for (size_t i = 3; i < KEPT + 3; i++)
                assert_exited(&told[i], pids[i], (int)i);
}

static void test_what_is_asked_for_does_not_go(void **state)
{
        struct told told = {0};

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = lost_child(9);
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &told), 0);
        for (int i = 0; i < KEPT + 1; i++)
                lost_child(0);
        assert_exited(&told, pid, 9);
        reaper_end_launch(reaper);
}

/* The number of one that has ended is another's at once: the fork returns it, and it lives. */
static void test_a_fork_of_a_kept_pid_is_another_child(void **state)
{
        struct told dead = {0}, alive = {0};

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = lost_child(4);
        assert_int_equal(reaper_add(reaper, pid, note, &alive), 0);
        turn();
        assert_int_equal(alive.times, 0);
        /* The launch of the first is answered now: the one that lives is somebody else's. */
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &dead), 0);
        assert_int_equal(reaper_kill(reaper, pid, &dead, 0), -ESRCH);
        turn();
        assert_exited(&dead, pid, 4);
        assert_int_equal(alive.times, 0);
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &dead), -EEXIST);
        reaper_end_launch(reaper);
}

static void test_a_late_child_may_have_the_number_of_one_that_was_lost(void **state)
{
        struct told dead = {0}, alive = {0};

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = lost_child(4);
        if (child_of_number(pid) == 0) {
                reaper_end_launch(reaper);
                skip();
        }
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &alive), 0);
        turn();
        assert_int_equal(alive.times, 0);
        assert_int_equal(reaper_add_late(reaper, pid, 0, note, &dead), 0);
        turn();
        assert_exited(&dead, pid, 4);
        end_child(pid);
        reaper_collect(reaper);
        assert_int_equal(alive.times, 1);
        assert_true(WIFSIGNALED(alive.status));
        reaper_end_launch(reaper);
}

static void test_a_launch_has_nothing_of_what_ended_before_it(void **state)
{
        struct told told = {0}, first = {0};

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = lost_child(4);
        uint64_t asked_ms = clock_now_ms() + 1; /* of a later launch, whose child has got the number and is lost, too */
        assert_int_equal(reaper_add_late(reaper, pid, asked_ms, note, &told), -ECHILD);
        assert_int_equal(reaper_add_late(reaper, pid, asked_ms - 1000, note, &first), 0);
        turn();
        assert_exited(&first, pid, 4);
        assert_int_equal(told.times, 0);
        reaper_end_launch(reaper);
}

/* Registered from within a callback; told when that has returned, and within the same collection. */
struct chain {
        pid_t next;
        struct told told;
        unsigned told_within;
};

static void register_next(void *context, pid_t pid, int status, const struct rusage *usage)
{
        struct chain *chain = context;

        (void)pid;
        (void)status;
        (void)usage;
        assert_int_equal(reaper_add_late(reaper, chain->next, 0, note, &chain->told), 0);
        chain->told_within = chain->told.times;
}

static void test_a_callback_may_register(void **state)
{
        struct chain chain = {0};

        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        chain.next = lost_child(2);
        pid_t pid = ended_child(1);
        assert_int_equal(reaper_add(reaper, pid, register_next, &chain), 0);
        reaper_collect(reaper);
        assert_int_equal(chain.told_within, 0);
        turn();
        assert_exited(&chain.told, chain.next, 2);
        reaper_end_launch(reaper);
}

static void test_what_is_kept_is_no_sign_of_being_behind(void **state)
{
        (void)state;
        assert_int_equal(reaper_begin_launch(reaper), 0);
        pid_t pid = ended_child(1);
        assert_false(reaper_is_behind(reaper));
        assert_true(reaper_is_behind(reaper));
        reaper_collect(reaper);
        assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
        assert_false(reaper_is_behind(reaper));
        reaper_end_launch(reaper);
}

static void note_stop(void *context, bool stopped)
{
        char *seen = context;

        strcat(seen, stopped ? "s" : "c");
}

static void await_change(pid_t pid, int signal_number, int which)
{
        siginfo_t info;

        assert_int_equal(kill(pid, signal_number), 0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, which | WNOWAIT), 0);
}

static void test_stops_are_told_to_who_expects_them(void **state)
{
        char seen[8] = "";
        struct told told = {0};
        pid_t pid = child_start(wait_for_kill, NULL), other = child_start(wait_for_kill, NULL);

        (void)state;
        assert_int_equal(reaper_add(reaper, pid, note, seen), 0);
        assert_int_equal(reaper_add(reaper, other, note, &told), 0);
        reaper_expect_stops(reaper, pid, note_stop);
        reaper_expect_stops(reaper, getpid(), note_stop); /* no child */
        await_change(pid, SIGSTOP, WSTOPPED);
        await_change(other, SIGSTOP, WSTOPPED);
        reaper_collect(reaper);
        reaper_collect(reaper);
        assert_string_equal(seen, "s");
        await_change(pid, SIGCONT, WCONTINUED);
        reaper_collect(reaper);
        assert_string_equal(seen, "sc");
        assert_int_equal(told.times, 0);
        end_child(other);
        reaper_collect(reaper);
        assert_int_equal(told.times, 1);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_a_known_child_is_told_of_once),
                TEST(test_only_who_has_registered_may_signal),
                TEST(test_a_pid_is_registered_once),
                TEST(test_a_status_from_before_the_registration_comes_later_and_once),
                TEST(test_the_usage_is_kept_as_well),
                TEST(test_collecting_delivers_what_was_asked_for),
                TEST(test_a_late_child_that_lives_is_one_like_any_other),
                TEST(test_what_is_no_child_cannot_be_registered_late),
                TEST(test_an_unknown_child_without_a_launch_is_forgotten),
                TEST(test_the_end_of_the_last_launch_forgets),
                TEST(test_the_oldest_go_when_there_are_too_many),
                TEST(test_what_is_asked_for_does_not_go),
                TEST(test_a_fork_of_a_kept_pid_is_another_child),
                TEST(test_a_late_child_may_have_the_number_of_one_that_was_lost),
                TEST(test_a_launch_has_nothing_of_what_ended_before_it),
                TEST(test_a_callback_may_register),
                TEST(test_what_is_kept_is_no_sign_of_being_behind),
                TEST(test_stops_are_told_to_who_expects_them),
        };

        return cmocka_run_group_tests_name("reaper", tests, NULL, NULL);
}
