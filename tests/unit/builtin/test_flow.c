#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "builtin/flow.h"

struct sockets {
        int source[2], sink[2]; /* a flow goes from source[1] to sink[0] */
};

static struct sockets open_sockets(void)
{
        struct sockets sockets;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.source), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.sink), 0);
        return sockets;
}

static void close_sockets(const struct sockets *sockets)
{
        close(sockets->source[0]);
        close(sockets->source[1]);
        close(sockets->sink[0]);
        close(sockets->sink[1]);
}

static void check_arrived(const struct sockets *sockets, const char *expected)
{
        char buffer[100] = "";

        assert_int_equal(recv(sockets->sink[1], buffer, sizeof(buffer) - 1, MSG_DONTWAIT), strlen(expected));
        assert_string_equal(buffer, expected);
}

static void test_little(void **state)
{
        struct flow_memory memory = FLOW_MEMORY_NONE;
        struct sockets sockets = open_sockets();
        struct flow flow = flow_make(sockets.source[1], sockets.sink[0], &memory);

        (void)state;
        flow_advance(&flow);
        assert_true(flow_wants_input(&flow) && !flow_wants_output(&flow) && !flow_is_over(&flow));
        assert_int_equal(send(sockets.source[0], "one", 3, 0), 3);
        flow_advance(&flow);
        check_arrived(&sockets, "one");
        shutdown(sockets.source[0], SHUT_WR);
        flow_advance(&flow);
        assert_true(flow_is_over(&flow) && flow.error == 0 && flow.moved == 3);
        assert_int_equal(recv(sockets.sink[1], &(char){0}, 1, MSG_DONTWAIT), 0);
        flow_end(&flow);
        flow_memory_clear(&memory);
        close_sockets(&sockets);
}

/* Through the pipe, with a sink that takes as much as it likes, and the end behind the last byte. */
static void test_much(void **state)
{
        enum { BYTES = 3000000 };
        struct flow_memory memory = FLOW_MEMORY_NONE;
        struct sockets sockets = open_sockets();
        struct flow flow = flow_make(sockets.source[1], sockets.sink[0], &memory);
        static unsigned char sent[BYTES], received[BYTES + 1];
        size_t put = 0, got = 0;

        (void)state;
        for (size_t i = 0; i < BYTES; i++)
                sent[i] = (unsigned char)(i * 7 / 3);
        while (!flow_is_over(&flow) || got < BYTES) {
                ssize_t length = send(sockets.source[0], sent + put, BYTES - put, MSG_DONTWAIT);
                put += length > 0 ? (size_t)length : 0;
                if (put == BYTES)
                        shutdown(sockets.source[0], SHUT_WR);
                flow_advance(&flow);
                assert_int_equal(flow.error, 0);
                length = recv(sockets.sink[1], received + got, BYTES + 1 - got, MSG_DONTWAIT);
                got += length > 0 ? (size_t)length : 0;
        }
        assert_true(flow.by_pipe && flow.moved == BYTES);
        assert_memory_equal(sent, received, BYTES);
        flow_end(&flow);
        assert_true(memory.pipe[0] >= 0); /* an empty pipe serves the next flow */
        flow_memory_clear(&memory);
        close_sockets(&sockets);
}

static void test_a_full_sink_is_waited_for(void **state)
{
        struct flow_memory memory = FLOW_MEMORY_NONE;
        struct sockets sockets = open_sockets();
        struct flow flow = flow_make(sockets.source[1], sockets.sink[0], &memory);
        char *block = calloc(1, 1 << 16);

        (void)state;
        while (!flow_wants_output(&flow)) {
                assert_true(send(sockets.source[0], block, 1 << 16, MSG_DONTWAIT) > 0);
                flow_advance(&flow);
        }
        assert_false(flow_wants_input(&flow));
        close(sockets.sink[1]);
        flow_advance(&flow);
        assert_int_equal(flow.error, EPIPE);
        assert_int_equal(flow.broken, sockets.sink[0]);
        assert_true(flow_is_over(&flow) && !flow_wants_output(&flow));
        flow_end(&flow);
        flow_memory_clear(&memory);
        free(block);
        sockets.sink[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        close_sockets(&sockets);
}

/* What a flow leaves in its pipe must not get into the next one. */
static void test_a_pipe_that_is_not_empty_is_not_used_again(void **state)
{
        struct flow_memory memory = FLOW_MEMORY_NONE;
        struct sockets sockets = open_sockets();
        struct flow flow = flow_make(sockets.source[1], sockets.sink[0], &memory);

        (void)state;
        assert_int_equal(pipe2(memory.pipe, O_CLOEXEC | O_NONBLOCK), 0);
        assert_int_equal(write(memory.pipe[1], "rest", 4), 4);
        flow.by_pipe = true;
        flow.pending = 4;
        flow_end(&flow);
        assert_int_equal(memory.pipe[0], -1);
        close_sockets(&sockets);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_little),
                cmocka_unit_test(test_much),
                cmocka_unit_test(test_a_full_sink_is_waited_for),
                cmocka_unit_test(test_a_pipe_that_is_not_empty_is_not_used_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
