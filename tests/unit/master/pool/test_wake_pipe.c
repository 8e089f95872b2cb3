/* What workers write into the pipe: wake-ups and records of connections, whole, in any mixture, and garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/connection_record.h"
#include "master/pool/wake_pipe.h"
#include "os/clock.h"

#define QUIET_MS 50

static struct evloop *loop;
static struct evloop_timer *timer;
static struct wake_pipe wake;
static unsigned woken, told;
static uint32_t next_number; /* of records, which come in their order */

static void on_wake(void *context, bool storm)
{
        (void)context;
        (void)storm;
        woken++;
}

static void on_record(void *context, const struct connection_record *record)
{
        (void)context;
        assert_int_equal(record->uid, next_number++);
        told++;
}

static void on_quiet(void *context)
{
        (void)context;
        evloop_stop(loop);
}

static int setup(void **state)
{
        (void)state;
        woken = told = next_number = 0;
        assert_int_equal(evloop_new(&loop), 0);
        assert_int_equal(evloop_timer_new(loop, on_quiet, NULL, &timer), 0);
        assert_int_equal(wake_pipe_open(&wake, loop, -1, -1, on_wake, on_record, NULL), 0);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        wake_pipe_close(&wake);
        evloop_timer_free(timer);
        evloop_free(loop);
        return 0;
}

static void run(void)
{
        evloop_timer_set(timer, clock_now_ms() + QUIET_MS);
        evloop_run(loop);
}

static void put(const void *bytes, size_t size)
{
        assert_int_equal(write(wake.write_fd, bytes, size), size);
}

static void put_record(uint32_t number)
{
        const struct connection_record record = {.magic = CONNECTION_RECORD_MAGIC, .uid = number};

        put(&record, sizeof(record));
}

static void test_records_wake_nobody(void **state)
{
        (void)state;
        for (uint32_t i = 0; i < 200; i++)
                put_record(i);
        run();
        assert_int_equal(told, 200);
        assert_int_equal(woken, 0);
}

/* A read ends within a record, wherever that is. */
static void test_wake_ups_among_records(void **state)
{
        (void)state;
        for (unsigned wakes = 0; wakes < 40; wakes++) {
                unsigned before = told;
                for (unsigned i = 0; i < wakes; i++)
                        put("", 1);
                for (uint32_t i = 0; i < 150; i++)
                        put_record(next_number + i);
                run();
                assert_int_equal(told, before + 150);
        }
        assert_int_equal(woken, 39);
}

/* It costs no more than wake-ups, and what is whole after it is found. */
static void test_garbage(void **state)
{
        struct connection_record record = {.magic = CONNECTION_RECORD_MAGIC + 1};
        char bytes[1000];

        (void)state;
        memset(bytes, 0xc7, sizeof(bytes));
        put(bytes, sizeof(bytes));
        put(&record, sizeof(record));
        put_record(0);
        run();
        assert_int_equal(told, 1);
        assert_true(woken > 0);
        record.magic = CONNECTION_RECORD_MAGIC;
        put(&record, sizeof(record) / 2);
        run();
        put_record(1);
        run();
        assert_int_equal(told, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_records_wake_nobody, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wake_ups_among_records, setup, teardown),
                cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
