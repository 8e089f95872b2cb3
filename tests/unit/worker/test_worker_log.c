#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "worker/worker_log.h"

/* The two ways of a worker's records: `pair[0]` is the log process's end, `pipe_fds[0]` the master's. */
static int pair[2], pipe_fds[2];
static struct worker_log worker_log;
static char received[4096];

static int setup(void **state)
{
        (void)state;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
                return -1;
        worker_log = (struct worker_log){.pipe_fd = pipe_fds[1], .socket_fd = pair[1]};
        worker_log_start(&worker_log);
        return fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
}

static int teardown(void **state)
{
        (void)state;
        log_set_sink(NULL, LOG_INFO);
        close(pair[1]);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        return 0;
}

/* One datagram, or "". */
static const char *from_socket(void)
{
        ssize_t n = recv(pair[0], received, sizeof(received) - 1, MSG_DONTWAIT);

        received[n > 0 ? n : 0] = '\0';
        return received;
}

static const char *from_pipe(void)
{
        ssize_t n = read(pipe_fds[0], received, sizeof(received) - 1);

        received[n > 0 ? n : 0] = '\0';
        return received;
}

static void test_to_the_log_process(void **state)
{
        (void)state;
        log_warning("one");
        log_notice("two");
        assert_string_equal(from_socket(), "<4>one\n");
        assert_string_equal(from_socket(), "<5>two\n");
        assert_string_equal(from_pipe(), "");
        close(pair[0]);
}

/* Nobody waits, and the number of those that are missing follows the next one that is sent. */
static void test_a_socket_that_is_full(void **state)
{
        (void)state;
        while (worker_log.dropped < 3)
                log_notice("more");
        while (strlen(from_socket()) > 0)
                ;
        log_notice("next");
        assert_string_equal(from_socket(), "<5>next\n");
        assert_string_equal(from_socket(), "<4>3 log records were dropped\n");
        assert_string_equal(from_pipe(), "");
        assert_int_equal(worker_log.dropped, 0);
        close(pair[0]);
}

/* No SIGPIPE; the record takes the other way. */
static void test_a_log_process_that_has_ended(void **state)
{
        (void)state;
        close(pair[0]);
        log_error("one");
        assert_string_equal(from_pipe(), "<3>one\n");
        log_error("two");
        assert_string_equal(from_pipe(), "<3>two\n");
        assert_int_equal(worker_log.socket_fd, -1);
}

static void test_a_pipe_that_is_full(void **state)
{
        (void)state;
        close(pair[0]);
        while (worker_log.dropped < 1)
                log_notice("more");
        while (strlen(from_pipe()) > 0)
                ;
        log_notice("next");
        assert_string_equal(from_pipe(), "<5>next\n<4>1 log record was dropped\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_to_the_log_process, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_socket_that_is_full, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_log_process_that_has_ended, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_pipe_that_is_full, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
