/* How long a document is as good as new: by what it cost to render it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "master/control/control_commands.h"
#include "master/control/status_links.h"
#include "master/loop/evloop.h"
#include "master/pool/pool_table.h"
#include "master/status/status_collect.h"
#include "os/clock.h"
#include "os/net/passed_fd.h"

#define FRESH_MS 100 /* at least so long */
#define LONG_MS 200

static struct evloop *loop;
static struct evloop_timer *timer;
static struct status_links links;
static const struct pool_table no_pools;
static int worker; /* its side */
static unsigned rendered;
static unsigned waits_ms, costs_ms; /* a rendering */

static struct status_of_daemon describe(void *context)
{
        uint64_t end_ns = clock_thread_cpu_ns() + costs_ms * UINT64_C(1000000);

        (void)context;
        rendered++;
        usleep(waits_ms * 1000);
        while (clock_thread_cpu_ns() < end_ns)
                ;
        return (struct status_of_daemon){.state = "running", .log = {.target = "stderr"}};
}

static const struct control_host host = {.pools = &no_pools, .describe = describe};

static void on_quiet(void *context)
{
        (void)context;
        evloop_stop(loop);
}

static int setup(void **state)
{
        int own;

        (void)state;
        rendered = waits_ms = costs_ms = 0;
        assert_int_equal(evloop_new(&loop), 0);
        assert_int_equal(evloop_timer_new(loop, on_quiet, NULL, &timer), 0);
        status_links_open(&links, loop, &host);
        assert_int_equal(status_links_pair(&own, &worker), 0);
        status_links_add(&links, getpid(), own);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        status_links_close(&links);
        close(worker);
        evloop_timer_free(timer);
        evloop_free(loop);
        return 0;
}

/* Ask, and be answered in a turn that lasts so long. */
static void ask(unsigned for_ms)
{
        const struct status_link_request request = {.number = 7, .document = STATUS_LINK_STATUS};
        struct status_link_answer answer;
        struct stat file;
        int fd = -1;

        assert_int_equal(write(worker, &request, sizeof(request)), sizeof(request));
        evloop_timer_set(timer, clock_now_ms() + for_ms);
        evloop_run(loop);
        assert_int_equal(passed_fd_receive(worker, &answer, sizeof(answer), &fd), 0);
        assert_int_equal(answer.number, 7);
        assert_int_equal(answer.error, 0);
        assert_int_equal(fstat(fd, &file), 0);
        assert_true(file.st_size > 0);
        close(fd);
}

/* It takes a fiftieth of a processor at most, however often it is asked for. */
static void test_what_is_dear_is_kept(void **state)
{
        (void)state;
        costs_ms = 100;
        ask(LONG_MS);
        ask(LONG_MS);
        assert_int_equal(rendered, 1);
}

/* A master that waits for the processor, or was stopped, has used none: what it says is not old for long. */
static void test_what_was_interrupted_is_not(void **state)
{
        (void)state;
        waits_ms = 100;
        ask(FRESH_MS + LONG_MS);
        ask(LONG_MS);
        assert_int_equal(rendered, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_what_is_dear_is_kept, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_was_interrupted_is_not, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
