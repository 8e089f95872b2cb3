/* What workers write into the pipe: wake-ups for a turn, and for records of connections, in any mixture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/connection_ring.h"
#include "master/pool/wake_pipe.h"
#include "os/clock.h"

#define QUIET_MS 50

static struct evloop *loop;
static struct evloop_timer *timer;
static struct wake_pipe wake;
static unsigned woken, told;

static void on_wake(void *context, bool storm)
{
        (void)context;
        (void)storm;
        woken++;
}

static void on_records(void *context)
{
        (void)context;
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
        woken = told = 0;
        assert_int_equal(evloop_new(&loop), 0);
        assert_int_equal(evloop_timer_new(loop, on_quiet, NULL, &timer), 0);
        assert_int_equal(wake_pipe_open(&wake, loop, -1, -1, on_wake, on_records, NULL), 0);
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

static void test_records_lead_to_no_turn(void **state)
{
        const char byte = CONNECTION_RING_WAKE;

        (void)state;
        put(&byte, 1);
        run();
        assert_int_equal(told, 1);
        assert_int_equal(woken, 0);
        put("", 1);
        run();
        assert_int_equal(told, 1);
        assert_int_equal(woken, 1);
        put((const char[]){0, CONNECTION_RING_WAKE, 0, CONNECTION_RING_WAKE}, 4);
        run();
        assert_int_equal(told, 2);
        assert_int_equal(woken, 2);
}

/* Whatever is in the pipe, there are no more looks and turns than for wake-ups. */
static void test_more_than_there_is_time_for(void **state)
{
        char bytes[4096];
        unsigned total = 0;

        (void)state;
        memset(bytes, CONNECTION_RING_WAKE, sizeof(bytes));
        uint64_t begin_ms = clock_now_ms();
        while (clock_now_ms() < begin_ms + 500) {
                while (write(wake.write_fd, bytes, sizeof(bytes)) > 0)
                        total++;
                run();
        }
        assert_true(total > 0 && told > 0);
        assert_true(told <= WAKE_LIMIT_BURST + (clock_now_ms() - begin_ms) + 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_records_lead_to_no_turn, setup, teardown),
                cmocka_unit_test_setup_teardown(test_more_than_there_is_time_for, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
