#include <pthread.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "unit/socket_helpers.h"

static void block_retire_signal(void)
{
        sigset_t mask;

        door_signal_set(&mask);
        sigprocmask(SIG_BLOCK, &mask, NULL);
}

static bool is_blocked(int number)
{
        sigset_t mask;

        sigprocmask(SIG_SETMASK, NULL, &mask);
        return sigismember(&mask, number) == 1;
}

static int open_listener(void)
{
        struct address address = unique_address(AF_INET);

        return listen_on(&address, 0);
}

static bool is_readable(int fd)
{
        struct pollfd poller = {.fd = fd, .events = POLLIN};

        return poll(&poller, 1, 0) == 1 && poller.revents == POLLIN;
}

static int installs(void)
{
        int death_signal = 0, listener = open_listener();
        struct sigaction action;

        block_retire_signal();
        if (door_is_closed() || door_is_orphaned())
                return 1;
        if (door_install(&listener, 1, getppid(), 1000) != 0)
                return 2;
        if (is_blocked(DOOR_SIGNAL) || door_is_closed() || is_readable(listener))
                return 3;
        if (prctl(PR_GET_PDEATHSIG, &death_signal) != 0 || death_signal != DOOR_SIGNAL)
                return 4;
        if (sigaction(DOOR_SIGNAL, NULL, &action) != 0 || action.sa_flags & SA_RESTART)
                return 5;
        return 0;
}

static int closes(void)
{
        int listener = open_listener();
        struct itimerval timer;

        block_retire_signal();
        if (door_install(&listener, 1, getppid(), 1000) != 0)
                return 1;
        errno = EXDEV;
        kill(getpid(), DOOR_SIGNAL);
        if (errno != EXDEV || !door_is_closed() || door_is_orphaned())
                return 2;
        if (accept4(listener, NULL, NULL, 0) != -1 || errno != ENOTSOCK)
                return 3;
        if (fcntl(listener, F_GETFD) != FD_CLOEXEC) /* the replacement is close-on-exec, too */
                return 4;
        if (!is_readable(listener)) /* poll(2) reports a closed door as readable */
                return 5;
        kill(getpid(), DOOR_SIGNAL); /* a second one changes nothing */
        if (accept4(listener, NULL, NULL, 0) != -1 || errno != ENOTSOCK || door_is_orphaned())
                return 6;
        if (getitimer(ITIMER_REAL, &timer) != 0 || timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0)
                return 7; /* the master lives */
        return 0;
}

/* A signal that arrives while it is blocked is not lost. */
static int closes_on_pending(void)
{
        int listener = open_listener();

        block_retire_signal();
        kill(getpid(), DOOR_SIGNAL);
        if (door_install(&listener, 1, getppid(), 1000) != 0)
                return 1;
        return door_is_closed() && accept4(listener, NULL, NULL, 0) == -1 && errno == ENOTSOCK ? 0 : 2;
}

static int closes_from_inside(void)
{
        int listener = open_listener();

        block_retire_signal();
        if (door_install(&listener, 1, getppid(), 1000) != 0)
                return 1;
        errno = EXDEV;
        door_close();
        if (errno != EXDEV || !door_is_closed() || door_is_orphaned())
                return 2;
        return accept4(listener, NULL, NULL, 0) == -1 && errno == ENOTSOCK ? 0 : 3;
}

static int closes_several(void)
{
        int listeners[] = {open_listener(), open_listener(), open_listener()};

        block_retire_signal();
        if (door_install(listeners, ELEMENTS(listeners), getppid(), 1000) != 0)
                return 1;
        kill(getpid(), DOOR_SIGNAL);
        for (size_t i = 0; i < ELEMENTS(listeners); i++)
                if (accept4(listeners[i], NULL, NULL, 0) != -1 || errno != ENOTSOCK)
                        return 2;
        return 0;
}

static int closes_without_a_listener(void)
{
        int listener = open_listener();

        block_retire_signal();
        if (door_install(NULL, 0, getppid(), 1000) != 0)
                return 1;
        kill(getpid(), DOOR_SIGNAL);
        return door_is_closed() && !is_readable(listener) ? 0 : 2;
}

static int interrupts_any_wait(void)
{
        int ends[2];
        char byte;

        block_retire_signal();
        if (pipe2(ends, O_CLOEXEC) != 0 || door_install(NULL, 0, getppid(), 1000) != 0)
                return 1;
        pid_t waker = fork();
        if (waker == 0) {
                wait_until_asleep(getppid());
                kill(getppid(), DOOR_SIGNAL);
                test_sleep_us(5000000); /* so that a restarted wait ends at some time */
                _exit(0);
        }
        close(ends[1]);
        bool interrupted = read(ends[0], &byte, 1) == -1 && errno == EINTR;
        kill(waker, SIGKILL);
        waitpid(waker, NULL, 0);
        return interrupted && door_is_closed() ? 0 : 2;
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
        (void)number;
        alarms = alarms + 1;
}

/* `parent` is not our parent: the master died before door_install(). */
static int finds_the_master_dead(void)
{
        block_retire_signal();
        return door_install(NULL, 0, getpid(), 0) == -ESRCH ? 0 : 1;
}

static int orphan_gets_an_alarm(void)
{
        const struct sigaction action = {.sa_handler = on_alarm};
        uint64_t start_ms = test_now_ms();

        sigaction(SIGALRM, &action, NULL);
        block_retire_signal();
        door_install(NULL, 0, getpid(), 150);
        kill(getpid(), DOOR_SIGNAL);
        if (!door_is_closed() || !door_is_orphaned() || alarms != 0)
                return 1;
        while (alarms == 0 && test_now_ms() < start_ms + DEADLINE_MS)
                test_sleep_us(1000);
        uint64_t took_ms = test_now_ms() - start_ms;
        if (alarms != 1 || took_ms < 149)
                return 2;
        kill(getpid(), DOOR_SIGNAL); /* a second signal does not restart the alarm */
        struct itimerval timer;
        return getitimer(ITIMER_REAL, &timer) == 0 && timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0 ? 0 : 3;
}

static int orphan_grace_in_seconds(void)
{
        struct itimerval timer;

        block_retire_signal();
        door_install(NULL, 0, getpid(), 70000);
        door_close();
        if (getitimer(ITIMER_REAL, &timer) != 0)
                return 1;
        return timer.it_value.tv_sec >= 60 && timer.it_value.tv_sec <= 70 && timer.it_interval.tv_sec == 0 ? 0 : 2;
}

static int orphan_without_grace(void)
{
        const struct sigaction action = {.sa_handler = on_alarm};
        uint64_t end_ms = test_now_ms() + DEADLINE_MS;

        sigaction(SIGALRM, &action, NULL);
        block_retire_signal();
        door_install(NULL, 0, getpid(), 0); /* 0 is "at once", not "never" */
        door_close();
        while (alarms == 0 && test_now_ms() < end_ms)
                test_sleep_us(1000);
        return alarms == 1 ? 0 : 1;
}

#define THREADS 3

static int shared_listener;
static _Atomic pid_t tids[THREADS];
static atomic_uint waiting;

/* A thread that accepts until the door is closed. */
static void *accept_until_closed(void *context)
{
        size_t number = (size_t)(uintptr_t)context;
        sigset_t retire;

        atomic_store(&tids[number], gettid());
        door_signal_set(&retire);
        pthread_sigmask(SIG_UNBLOCK, &retire, NULL);
        atomic_fetch_add(&waiting, 1);
        while (!door_is_closed())
                accept4(shared_listener, NULL, NULL, 0);
        return NULL;
}

/* A sleep ends with the signal, and none begins after it. */
static int ends_a_sleep(void)
{
        uint64_t start_ms = test_now_ms();

        block_retire_signal();
        if (door_install(NULL, 0, getppid(), 4711) != 0 || door_orphan_timeout_ms() != 4711)
                return 1;
        door_sleep(20000000);
        if (test_now_ms() - start_ms < 19)
                return 2;
        pid_t waker = fork();
        if (waker == 0) {
                wait_until_asleep(getppid());
                kill(getppid(), DOOR_SIGNAL);
                _exit(0);
        }
        for (unsigned i = 0; i < 2; i++)
                door_sleep(UINT64_C(3600) * 1000000000);
        waitpid(waker, NULL, 0);
        return door_is_closed() ? 0 : 3;
}

/* Whoever gets the signal, each thread leaves its accept. */
static int tells_threads(void)
{
        pthread_t threads[THREADS];

        shared_listener = open_listener();
        block_retire_signal();
        door_set_threads(tids, THREADS, false);
        for (uintptr_t i = 0; i < THREADS; i++)
                pthread_create(&threads[i], NULL, accept_until_closed, (void *)i);
        if (door_install(&shared_listener, 1, getppid(), 1000) != 0)
                return 1;
        while (atomic_load(&waiting) < THREADS)
                test_sleep_us(1000);
        test_sleep_us(20000);
        kill(getpid(), DOOR_SIGNAL);
        for (size_t i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        return 0;
}

/* A thread that was woken in its set for a connection still finds the listener. */
static int waits_for_threads_in_sets(void)
{
        int listener = open_listener();

        block_retire_signal();
        door_set_threads(tids, THREADS, true);
        if (door_install(&listener, 1, getppid(), 1000) != 0)
                return 1;
        door_enter();
        door_enter();
        kill(getpid(), DOOR_SIGNAL);
        if (!door_is_closed() || is_readable(listener))
                return 2;
        door_leave();
        if (is_readable(listener))
                return 3;
        door_leave();
        if (!is_readable(listener) || accept4(listener, NULL, NULL, 0) != -1 || errno != ENOTSOCK)
                return 4;
        door_enter(); /* one that comes later */
        door_leave();
        return is_readable(listener) ? 0 : 5;
}

#define IN_CHILD(name)                                                                                                 \
        static void test_##name(void **state)                                                                          \
        {                                                                                                              \
                (void)state;                                                                                           \
                in_child(name);                                                                                        \
        }

IN_CHILD(installs)
IN_CHILD(closes)
IN_CHILD(closes_on_pending)
IN_CHILD(closes_from_inside)
IN_CHILD(closes_several)
IN_CHILD(closes_without_a_listener)
IN_CHILD(interrupts_any_wait)
IN_CHILD(ends_a_sleep)
IN_CHILD(finds_the_master_dead)
IN_CHILD(orphan_gets_an_alarm)
IN_CHILD(orphan_grace_in_seconds)
IN_CHILD(orphan_without_grace)
IN_CHILD(tells_threads)
IN_CHILD(waits_for_threads_in_sets)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_installs),
                cmocka_unit_test(test_closes),
                cmocka_unit_test(test_closes_on_pending),
                cmocka_unit_test(test_closes_from_inside),
                cmocka_unit_test(test_closes_several),
                cmocka_unit_test(test_closes_without_a_listener),
                cmocka_unit_test(test_interrupts_any_wait),
                cmocka_unit_test(test_ends_a_sleep),
                cmocka_unit_test(test_finds_the_master_dead),
                cmocka_unit_test(test_orphan_gets_an_alarm),
                cmocka_unit_test(test_orphan_grace_in_seconds),
                cmocka_unit_test(test_orphan_without_grace),
                cmocka_unit_test(test_tells_threads),
                cmocka_unit_test(test_waits_for_threads_in_sets),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
