/* The event loop, when the kernel refuses: a watch that epoll_ctl(2) did not take works as soon as it does. */
#include "child_helpers.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "master/loop/evloop.h"
#include "os/clock.h"

static struct evloop *loop;
static unsigned warnings, failures_left, calls;

/* In the place of libc's: libev calls this one. */
__attribute__((visibility("default"))) int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
        calls++;
        if (failures_left > 0) {
                failures_left--;
                errno = ENOSPC;
                return -1;
        }
        return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
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
        warnings = failures_left = calls = 0;
        log_set_sink(&sink, LOG_INFO);
        return evloop_new(&loop);
}

static int teardown(void **state)
{
        (void)state;
        evloop_free(loop);
        log_set_sink(NULL, LOG_INFO);
        return 0;
}

struct channel {
        int fds[2];
        unsigned read;
        struct evloop_watch *watch;
};

static void on_readable(void *context)
{
        struct channel *channel = context;
        char byte;

        assert_int_equal(read(channel->fds[0], &byte, 1), 1);
        channel->read++;
        evloop_stop(loop);
}

static void open_channel(struct channel *channel)
{
        assert_int_equal(pipe(channel->fds), 0);
        assert_int_equal(evloop_watch_new(loop, channel->fds[0], on_readable, channel, &channel->watch), 0);
}

static void close_channel(struct channel *channel)
{
        evloop_watch_free(channel->watch);
        close(channel->fds[0]);
        close(channel->fds[1]);
}

static void on_timer(void *context)
{
        (void)context;
        evloop_stop(loop);
}

static void run_for(uint64_t ms)
{
        struct evloop_timer *timer;

        assert_int_equal(evloop_timer_new(loop, on_timer, NULL, &timer), 0);
        evloop_timer_set(timer, clock_now_ms() + ms);
        evloop_run(loop);
        evloop_timer_free(timer);
}

/* Warned about once, however often it fails and for how many. */
static void test_a_watch_that_failed_is_tried_again(void **state)
{
        struct channel one = {0}, other = {0};

        (void)state;
        failures_left = 7;
        open_channel(&one);
        open_channel(&other);
        assert_int_equal(write(one.fds[1], "x", 1), 1);
        evloop_run(loop);
        assert_int_equal(one.read, 1);
        assert_int_equal(failures_left, 0);
        assert_int_equal(warnings, 1);
        assert_int_equal(write(other.fds[1], "x", 1), 1);
        evloop_run(loop);
        assert_int_equal(other.read, 1);
        close_channel(&one);
        close_channel(&other);
}

/* When it is over, the loop sleeps again, and the next one is warned about too. */
static void test_it_ends(void **state)
{
        struct channel one = {0}, other = {0};

        (void)state;
        failures_left = 1;
        open_channel(&one);
        run_for(400);
        assert_int_equal(warnings, 1);
        unsigned before = calls;
        run_for(300);
        assert_int_equal(calls, before);
        failures_left = 1;
        open_channel(&other);
        run_for(150);
        assert_int_equal(warnings, 2);
        close_channel(&one);
        close_channel(&other);
}

/* One that was freed, and one that was paused meanwhile, stay so. */
static void test_what_has_gone_is_not_tried_again(void **state)
{
        struct channel one = {0}, other = {0}, third = {0};

        (void)state;
        failures_left = 3;
        open_channel(&one);
        open_channel(&other);
        open_channel(&third);
        run_for(10);
        assert_int_equal(failures_left, 0);
        close_channel(&other);
        evloop_watch_pause(third.watch);
        assert_int_equal(write(third.fds[1], "x", 1), 1);
        run_for(300);
        assert_int_equal(third.read, 0);
        evloop_watch_resume(third.watch);
        evloop_run(loop);
        assert_int_equal(third.read, 1);
        assert_int_equal(write(one.fds[1], "x", 1), 1);
        evloop_run(loop);
        assert_int_equal(one.read, 1);
        close_channel(&one);
        close_channel(&third);
}

static void pause_and_resume(void *context)
{
        struct channel *channel = context;

        evloop_watch_pause(channel->watch);
        evloop_watch_resume(channel->watch);
}

/* One that is paused and resumed in the very turn in which epoll_ctl(2) fails: a pool's turn does that. */
static void test_one_that_is_resumed_at_once_is_tried_again(void **state)
{
        struct channel one = {0};
        struct evloop_timer *timer;

        (void)state;
        failures_left = 1;
        open_channel(&one);
        assert_int_equal(evloop_timer_new(loop, pause_and_resume, &one, &timer), 0);
        evloop_timer_set(timer, 0);
        run_for(50);
        assert_int_equal(failures_left, 0);
        assert_int_equal(write(one.fds[1], "x", 1), 1);
        run_for(1000);
        assert_int_equal(one.read, 1);
        evloop_timer_free(timer);
        close_channel(&one);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_watch_that_failed_is_tried_again, setup, teardown),
                cmocka_unit_test_setup_teardown(test_it_ends, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_has_gone_is_not_tried_again, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_that_is_resumed_at_once_is_tried_again, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
