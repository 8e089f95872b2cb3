/* Helpers for tests that fork: children whose checks are numbered, waits with a deadline, shared memory. Every wait has
 * a deadline and a condition. */
#pragma once

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define DEADLINE_MS 20000  /* for what only a bug can delay; generous, for busy machines */
#define EXIT_STUCK (-1000) /* child_wait(): it did not end */

static inline uint64_t test_now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t test_now_ms(void)
{
        return test_now_ns() / 1000000;
}

static inline void test_sleep_us(unsigned us)
{
        const struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L};

        nanosleep(&pause, NULL);
}

/* valgrind replaces vfork(2) by fork(2), does not know pidfd_open(2), and keeps part of RLIMIT_NOFILE for itself. */
static inline bool under_valgrind(void)
{
        const char *preload = getenv("LD_PRELOAD");

        return preload && strstr(preload, "vgpreload");
}

/* Run `body` in a child that the kernel kills if we die. */
static inline pid_t child_start(int (*body)(void *context), void *context)
{
        pid_t parent = getpid(), pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                _exit(getppid() == parent ? body(context) : 99);
        }
        return pid;
}

/* The exit code of a child, -signal if one killed it, EXIT_STUCK if it has not ended in time (it is killed then). */
static inline int child_wait(pid_t pid, unsigned timeout_ms)
{
        uint64_t end_ms = test_now_ms() + timeout_ms;
        int status = 0, pidfd = under_valgrind() ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
        bool stuck = false;

        while (waitpid(pid, &status, WNOHANG) == 0) {
                uint64_t now_ms = test_now_ms();
                struct pollfd poller = {.fd = pidfd, .events = POLLIN};
                if (now_ms >= end_ms && !stuck) {
                        stuck = true;
                        kill(pid, SIGKILL);
                }
                poll(&poller, 1, pidfd < 0 ? 1 : stuck ? 1000 : (int)(end_ms - now_ms));
        }
        if (pidfd >= 0)
                close(pidfd);
        if (stuck)
                return EXIT_STUCK;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int child_call_body(void *context)
{
        int (*const *body)(void) = context;

        return (*body)();
}

/* Run `body` in a child and expect it to return 0 (else the number of the check that failed). */
static inline void in_child(int (*body)(void))
{
        assert_int_equal(child_wait(child_start(child_call_body, &body), DEADLINE_MS), 0);
}

/* Memory that children share with us; zeroed. */
static inline void *shared_new(size_t size)
{
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_true(memory != MAP_FAILED);
        return memory;
}

/* Wait until `pid` sleeps in the kernel (or has ended). The test must also pass without this wait; with it, the
 * intended case happens. */
static inline void wait_until_asleep(pid_t pid)
{
        uint64_t end_ms = test_now_ms() + DEADLINE_MS;
        char path[40], stat[256];

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        while (test_now_ms() < end_ms) {
                FILE *file = fopen(path, "re");
                size_t length = file ? fread(stat, 1, sizeof(stat) - 1, file) : 0;
                if (file)
                        fclose(file);
                stat[length] = '\0';
                const char *name_end = strrchr(stat, ')');
                if (!name_end || strchr("SZX", name_end[2]))
                        return;
                test_sleep_us(200);
        }
}

/* Wait until *word reaches `value`, yielding after a while. False after the deadline. */
static inline bool spin_until(_Atomic uint32_t *word, uint32_t value)
{
        uint64_t end_ms = 0;

        for (unsigned spins = 1; *word < value; spins++) {
                if (spins % 200 != 0)
                        continue;
                sched_yield();
                if (end_ms == 0)
                        end_ms = test_now_ms() + DEADLINE_MS;
                if (spins % 20000 == 0 && test_now_ms() > end_ms)
                        return false;
        }
        return true;
}
