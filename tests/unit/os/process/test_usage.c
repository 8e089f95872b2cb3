/* What a process uses, against what getrusage(2) says. */
#include <errno.h>
#include <stdbool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/process/usage.h"

#define TICK_MS UINT64_C(10) /* of the kernel's statistics */
#define BURNT_MS UINT64_C(50)
#define TOUCHED_BYTES (32UL << 20)

static uint64_t own_cpu_ms(void)
{
        struct rusage usage;

        assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
        return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
               (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Its name is in the middle of the line and looks like the rest of one. */
static void test_cpu(void **state)
{
        (void)state;
        struct process_usage usage;

        assert_int_equal(prctl(PR_SET_NAME, "a) R 1 2 (b 3"), 0);
        while (own_cpu_ms() < BURNT_MS)
                ;
        uint64_t before_ms = own_cpu_ms();
        assert_int_equal(process_usage_read(getpid(), &usage), 0);
        assert_in_range(usage.cpu_ms, before_ms - 2 * TICK_MS, own_cpu_ms() + TICK_MS);
}

static void test_memory(void **state)
{
        (void)state;
        struct process_usage before, after;

        assert_int_equal(process_usage_read(getpid(), &before), 0);
        void *memory =
                mmap(NULL, TOUCHED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        assert_ptr_not_equal(memory, MAP_FAILED);
        assert_int_equal(process_usage_read(getpid(), &after), 0);
        munmap(memory, TOUCHED_BYTES);
        assert_in_range(after.resident_bytes - before.resident_bytes, TOUCHED_BYTES / 2, 2 * TOUCHED_BYTES);
}

/* What a fork writes to is shared no longer, and its memory is not more than before. */
static void what_a_fork_has_touched(void **state)
{
        char *memory = mmap(NULL, TOUCHED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct process_usage before, after;
        int status;

        (void)state;
        assert_ptr_not_equal(memory, MAP_FAILED);
        madvise(memory, TOUCHED_BYTES, MADV_NOHUGEPAGE); /* one fault would be many pages */
        memset(memory, 1, TOUCHED_BYTES);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                bool good = process_usage_read(getpid(), &before) == 0;
                memset(memory, 2, TOUCHED_BYTES);
                good = good && process_usage_read(getpid(), &after) == 0;
                uint64_t more = after.touched_bytes - before.touched_bytes;
                _exit(good && more >= TOUCHED_BYTES && more < 2 * TOUCHED_BYTES ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        munmap(memory, TOUCHED_BYTES);
}

static void test_nobody(void **state)
{
        (void)state;
        struct process_usage usage;

        assert_int_equal(process_usage_read(0x7fffffff, &usage), -ENOENT);
}

static void what_a_process_has_of_its_own(void **state)
{
        const size_t bytes = 32 << 20;
        uint64_t before = process_anonymous_bytes(getpid());
        char *memory = malloc(bytes);

        (void)state;
        assert_non_null(memory);
        memset(memory, 1, bytes);
        assert_in_range(process_anonymous_bytes(getpid()), before + bytes / 2, before + 2 * bytes);
        assert_true(process_memory_bytes() > bytes);
        assert_int_equal(process_anonymous_bytes(0x7fffffff), 0);
        free(memory);
}

static void its_processor_time_to_the_microsecond(void **state)
{
        uint64_t before_us = process_cpu_us(getpid());
        volatile unsigned count = 0;

        (void)state;
        assert_true(before_us > 0);
        while (count < 1000000)
                count++;
        assert_in_range(process_cpu_us(getpid()), before_us + 1, before_us + 10000000);
        assert_int_equal(process_cpu_us(0x3fffff), 0);
        assert_int_equal(process_cpu_us(0), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cpu),
                cmocka_unit_test(test_memory),
                cmocka_unit_test(what_a_fork_has_touched),
                cmocka_unit_test(test_nobody),
                cmocka_unit_test(what_a_process_has_of_its_own),
                cmocka_unit_test(its_processor_time_to_the_microsecond),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
