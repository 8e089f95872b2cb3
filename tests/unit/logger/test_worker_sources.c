#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logger/worker_sources.h"
#include "logic/protocol/log_plan.h"
#include "os/clock.h"

static struct worker_sources sources;

static int setup(void **state)
{
        (void)state;
        sources = (struct worker_sources){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .max_priority = LOG_INFO};
        return sources.epoll_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        _cleanup_(text_clear) struct text lines = {0};

        (void)state;
        worker_sources_end(&sources, &lines);
        return close(sources.epoll_fd);
}

/* A worker; the socket that it has. */
static int add(const char *pool, pid_t worker)
{
        struct log_order order = {.kind = LOG_ORDER_SOURCE, .worker = worker};
        int pair[2];

        snprintf(order.pool, sizeof(order.pool), "%s", pool);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        worker_sources_add(&sources, &order, pair[0]);
        return pair[1];
}

/* Read whatever can be read now, as the log process does. How many sources there were. */
static int read_ready(struct text *lines)
{
        struct epoll_event events[8];
        int count = epoll_wait(sources.epoll_fd, events, 8, 0);

        for (int i = 0; i < count; i++)
                worker_source_read(&sources, events[i].data.ptr, lines);
        return count;
}

static void say(int fd, const char *words)
{
        assert_int_equal(send(fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL), strlen(words));
}

static void test_marks(void **state)
{
        _cleanup_(text_clear) struct text lines = {0};
        _cleanup_(fd_closep) int one = add("www", 11), other = add("mail", 12);

        (void)state;
        say(one, "<4>a warning\n");
        assert_int_equal(read_ready(&lines), 1);
        say(other, "no priority");
        assert_int_equal(read_ready(&lines), 1);
        say(one, "<0>too important\nand preforkd: another\x1b[2J\n");
        assert_int_equal(read_ready(&lines), 1);
        assert_string_equal(text_string(&lines), "preforkd: warning: pool www: worker 11: a warning\n"
                                                 "preforkd: pool mail: worker 12: no priority\n"
                                                 "preforkd: error: pool www: worker 11: too important\n"
                                                 "preforkd: pool www: worker 11: and preforkd: another?[2J\n");
}

static void test_levels(void **state)
{
        _cleanup_(text_clear) struct text lines = {0};
        _cleanup_(fd_closep) int fd = add("www", 11);

        (void)state;
        say(fd, "<7>debug\n<6>info\n");
        read_ready(&lines);
        sources.max_priority = LOG_ERR;
        say(fd, "<6>info\n<3>error\n");
        read_ready(&lines);
        sources.max_priority = LOG_INFO;
        assert_string_equal(text_string(&lines),
                            "preforkd: pool www: worker 11: info\npreforkd: error: pool www: worker 11: error\n");
}

/* What was sent before the end is read. */
static void test_the_end_of_a_worker(void **state)
{
        _cleanup_(text_clear) struct text lines = {0};
        int fd = add("www", 11);

        (void)state;
        say(fd, "last words");
        close(fd);
        assert_int_equal(read_ready(&lines), 1);
        assert_string_equal(text_string(&lines), "preforkd: pool www: worker 11: last words\n");
        assert_null(sources.first);
        assert_null(sources.pools);
        assert_int_equal(read_ready(&lines), 0);
}

/* A budget a pool: one is not read for a while, the other is. */
static void test_a_flood(void **state)
{
        _cleanup_(text_clear) struct text lines = {0};
        _cleanup_(fd_closep) int one = add("www", 11), two = add("www", 12), other = add("mail", 13);
        unsigned rounds = 0;

        (void)state;
        assert_int_equal(worker_sources_patience_ms(&sources, clock_now_ms()), -1);
        do {
                while (send(one, "x\n", 2, MSG_DONTWAIT | MSG_NOSIGNAL) == 2)
                        ;
                assert_true(rounds++ < 100000);
        } while (read_ready(&lines) > 0);
        assert_true(lines.length > 5000 * strlen("preforkd: pool www: worker 11: x\n"));
        say(two, "y");
        say(other, "z");
        text_truncate(&lines);
        assert_int_equal(read_ready(&lines), 1);
        assert_string_equal(text_string(&lines), "preforkd: pool mail: worker 13: z\n");

        /* Later it is read again, and what was dropped is told. */
        uint64_t now_ms = clock_now_ms();
        int patience_ms = worker_sources_patience_ms(&sources, now_ms);
        assert_true(patience_ms >= 0 && patience_ms <= 100);
        text_truncate(&lines);
        worker_sources_look(&sources, now_ms + 200, &lines);
        assert_int_equal(lines.length, 0);
        patience_ms = worker_sources_patience_ms(&sources, now_ms + 200);
        assert_true(patience_ms > 200 && patience_ms <= 1000);
        worker_sources_look(&sources, now_ms + 1200, &lines);
        assert_non_null(strstr(text_string(&lines), "preforkd: warning: pool www: "));
        assert_non_null(strstr(text_string(&lines), " records were dropped: its workers write too many\n"));
        assert_int_equal(worker_sources_patience_ms(&sources, now_ms + 1200), -1);
        assert_int_equal(read_ready(&lines), 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
                cmocka_unit_test_setup_teardown(test_the_end_of_a_worker, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_flood, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
