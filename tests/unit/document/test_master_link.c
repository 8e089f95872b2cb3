/* The worker's link to the master, with a thread in the master's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/memory_file.h"
#include "os/net/passed_fd.h"
#include "document/master_link.h"

enum { SHORT_MS = 100, LONG_MS = 60000 };

struct fixture {
        int master_fd;
        struct master_link link;
        pthread_t master;
        const char *text;     /* what it answers; NULL: with an error */
        uint32_t add;         /* to the number */
        unsigned wrong_first; /* answers to no question, before that */
        unsigned asked;       /* questions, when it has ended */
};

static void answer(const struct fixture *fixture, uint32_t number, const char *text)
{
        const struct status_link_answer answer = {.number = number, .error = text ? 0 : EBUSY};
        _cleanup_(fd_closep) int file = -1;

        if (text) {
                assert_int_equal(memory_file_open("test", &file), 0);
                assert_int_equal(memory_file_write(file, text, strlen(text)), 0);
        }
        assert_int_equal(passed_fd_send(fixture->master_fd, &answer, sizeof(answer), file), 0);
}

/* Answers questions until the worker's end is closed. */
static void *be_master(void *context)
{
        struct fixture *fixture = context;
        struct status_link_request request;
        int passed = -1, r = 0;

        while (r == 0 || r == -EAGAIN) {
                struct pollfd poll_fd = {.fd = fixture->master_fd, .events = POLLIN};
                poll(&poll_fd, 1, -1);
                r = passed_fd_receive(fixture->master_fd, &request, sizeof(request), &passed);
                if (r != 0)
                        continue;
                fixture->asked++;
                for (unsigned i = 0; i < fixture->wrong_first; i++)
                        answer(fixture, request.number + 1000 + i, "wrong");
                answer(fixture, request.number + fixture->add, fixture->text);
        }
        return NULL;
}

static void set_up(struct fixture *fixture)
{
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        fixture->master_fd = pair[0];
        fixture->link.fd = pair[1];
}

static void start_master(struct fixture *fixture)
{
        assert_int_equal(pthread_create(&fixture->master, NULL, be_master, fixture), 0);
}

static void stop_master(struct fixture *fixture)
{
        close(fixture->link.fd);
        assert_int_equal(pthread_join(fixture->master, NULL), 0);
        close(fixture->master_fd);
        master_link_clear(&fixture->link);
}

static int get(struct fixture *fixture, unsigned patience_ms, const char *expected)
{
        const char *bytes = NULL;
        size_t length = 0;
        int r = master_link_get(&fixture->link, STATUS_LINK_STATUS, patience_ms, &bytes, &length);

        if (r == 0) {
                assert_int_equal(length, strlen(expected));
                assert_memory_equal(bytes, expected, length);
        }
        return r;
}

static void test_an_answer(void **state)
{
        struct fixture fixture = {.text = "document", .wrong_first = 3};

        (void)state;
        set_up(&fixture);
        start_master(&fixture);
        assert_int_equal(get(&fixture, LONG_MS, "document"), 0);
        for (int i = 0; i < 5; i++) /* which is fresh for a moment */
                assert_int_equal(get(&fixture, LONG_MS, "document"), 0);
        usleep(150000);
        assert_int_equal(get(&fixture, LONG_MS, "document"), 0);
        stop_master(&fixture);
        assert_in_range(fixture.asked, 2, 7);
}

static void test_an_error(void **state)
{
        struct fixture fixture = {.text = NULL};

        (void)state;
        set_up(&fixture);
        start_master(&fixture);
        assert_int_equal(get(&fixture, LONG_MS, ""), -EBUSY);
        assert_int_equal(get(&fixture, LONG_MS, ""), -EBUSY);
        stop_master(&fixture);
}

static void test_no_answer(void **state)
{
        struct fixture fixture = {.text = "late"};
        uint64_t begun_ms = clock_now_ms();

        (void)state;
        set_up(&fixture);
        assert_int_equal(get(&fixture, SHORT_MS, ""), -ETIMEDOUT);
        assert_true(clock_now_ms() - begun_ms >= SHORT_MS);
        for (int i = 0; i < 1000; i++) /* it does not ask again, which would fill the socket */
                assert_int_equal(get(&fixture, 0, ""), -ETIMEDOUT);
        /* The master goes on. Its answer to the old question is of unknown age when somebody asks again. */
        start_master(&fixture);
        usleep(200000);
        fixture.text = "fresh";
        assert_int_equal(get(&fixture, LONG_MS, "fresh"), 0);
        stop_master(&fixture);
        assert_int_equal(fixture.asked, 2);
}

static void test_the_master_has_gone(void **state)
{
        struct fixture fixture = {0};

        (void)state;
        set_up(&fixture);
        close(fixture.master_fd);
        assert_int_equal(get(&fixture, LONG_MS, ""), -EPIPE);
        close(fixture.link.fd);
        fixture.link.fd = -1;
        assert_int_equal(get(&fixture, LONG_MS, ""), -EPIPE);
}

/* An answer without its file, or a packet of another size. */
static void test_nonsense(void **state)
{
        struct fixture fixture = {.text = "x"};

        (void)state;
        set_up(&fixture);
        assert_int_equal(send(fixture.master_fd, "?", 1, 0), 1);
        assert_int_equal(get(&fixture, LONG_MS, ""), -EPROTO);
        close(fixture.master_fd);
        close(fixture.link.fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_answer), cmocka_unit_test(test_an_error),
                cmocka_unit_test(test_no_answer), cmocka_unit_test(test_the_master_has_gone),
                cmocka_unit_test(test_nonsense),
        };

        return cmocka_run_group_tests_name("master_link", tests, NULL, NULL);
}
