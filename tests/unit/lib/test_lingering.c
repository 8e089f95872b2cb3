#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/lingering.h"
#include "unit/board_helpers.h"
#include "unit/socket_helpers.h"

#define DEADLINE_MS 20000

static const struct lingering_text text = {.bytes = "421 no\r\n", .length = 8};

/* A client, and its connection. */
struct pair {
        int client, connection;
};

static struct pair connect_pair(void)
{
        struct pair pair;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        pair.client = fds[0];
        pair.connection = fds[1];
        return pair;
}

static void expect_text(int client)
{
        char bytes[64];

        assert_int_equal(recv(client, bytes, sizeof(bytes), MSG_DONTWAIT), text.length);
        assert_memory_equal(bytes, text.bytes, text.length);
        assert_int_equal(recv(client, bytes, sizeof(bytes), MSG_DONTWAIT), 0);
}

static void test_without_a_text_nobody_lingers(void **state)
{
        struct lingering lingering = {0};
        const struct pair pair = connect_pair();
        char byte;

        (void)state;
        lingering_refuse(&lingering, pair.connection, &(struct lingering_text){0});
        assert_int_equal(lingering.count, 0);
        assert_int_equal(recv(pair.client, &byte, 1, MSG_DONTWAIT), 0);
        close(pair.client);
}

static void test_until_the_client_has_ended(void **state)
{
        struct lingering lingering = {0};
        const struct pair pair = connect_pair();
        static char much[50000];

        (void)state;
        assert_int_equal(send(pair.client, much, sizeof(much), MSG_DONTWAIT), sizeof(much));
        lingering_refuse(&lingering, pair.connection, &text);
        assert_int_equal(lingering.count, 1);
        assert_int_equal(send(pair.client, much, sizeof(much), MSG_DONTWAIT), sizeof(much));
        lingering_look(&lingering);
        assert_int_equal(lingering.count, 1);
        expect_text(pair.client);
        shutdown(pair.client, SHUT_WR);
        lingering_look(&lingering);
        assert_int_equal(lingering.count, 0);
        close(pair.client);
}

static void test_who_has_ended_does_not_linger(void **state)
{
        struct lingering lingering = {0};
        const struct pair pair = connect_pair();

        (void)state;
        shutdown(pair.client, SHUT_WR);
        lingering_refuse(&lingering, pair.connection, &text);
        assert_int_equal(lingering.count, 0);
        expect_text(pair.client);
        close(pair.client);
}

static void test_the_oldest_gives_way(void **state)
{
        struct lingering lingering = {0};
        struct pair pairs[LINGERING_MAX + 1];

        (void)state;
        for (size_t i = 0; i <= LINGERING_MAX; i++) {
                pairs[i] = connect_pair();
                lingering_refuse(&lingering, pairs[i].connection, &text);
        }
        assert_int_equal(lingering.count, LINGERING_MAX);
        assert_int_equal(fcntl(pairs[0].connection, F_GETFD), -1);
        assert_true(fcntl(pairs[1].connection, F_GETFD) >= 0);
        lingering_end(&lingering);
        assert_int_equal(lingering.count, 0);
        for (size_t i = 0; i <= LINGERING_MAX; i++) {
                assert_int_equal(fcntl(pairs[i].connection, F_GETFD), -1);
                close(pairs[i].client);
        }
}

static void test_who_sends_too_much_is_let_go(void **state)
{
        struct lingering lingering = {0};
        const struct pair pair = connect_pair();
        static char much[65536];

        (void)state;
        lingering_refuse(&lingering, pair.connection, &text);
        for (unsigned sent = 0; lingering.count > 0; sent += sizeof(much)) {
                assert_true(sent <= LINGERING_BYTES);
                assert_int_equal(send(pair.client, much, sizeof(much), MSG_DONTWAIT), sizeof(much));
                lingering_look(&lingering);
        }
        close(pair.client);
}

/* Nobody comes: it ends with the time. */
static void test_the_time(void **state)
{
        const struct fixture *fixture = *state;
        struct lingering lingering = {0};
        const struct pair pair = connect_pair(), listener = connect_pair();
        uint64_t begun_ms = test_now_ms();

        assert_int_equal(lingering_timeout_ms(&lingering), -1);
        lingering_refuse(&lingering, pair.connection, &text);
        const struct slot slot = attach(fixture, 3);
        lingering_wait(&lingering, &listener.connection, 1, &slot);
        assert_int_equal(lingering.count, 0);
        assert_in_range(test_now_ms() - begun_ms, LINGERING_MS - 1, DEADLINE_MS);
        close(pair.client);
        close(listener.client);
        close(listener.connection);
}

/* A connection is left to others for a moment, if there are any. */
static void test_a_connection_comes(void **state)
{
        struct fixture *fixture = *state;
        struct lingering lingering = {0};
        const struct pair pair = connect_pair(), listener = connect_pair();
        struct slot one = attach(fixture, 3), other = attach(fixture, 4);

        slot_ready(&one, 1000);
        slot_ready(&other, 1000);
        lingering_refuse(&lingering, pair.connection, &text);
        assert_int_equal(send(listener.client, "x", 1, 0), 1);
        lingering_wait(&lingering, &listener.connection, 1, &one);
        assert_int_equal(lingering.count, 1);
        lingering_end(&lingering);
        close(pair.client);
        close(listener.client);
        close(listener.connection);
}

#define WITH_BOARD(test) cmocka_unit_test_setup_teardown(test, board_setup, board_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_a_text_nobody_lingers),
                cmocka_unit_test(test_until_the_client_has_ended),
                cmocka_unit_test(test_who_has_ended_does_not_linger),
                cmocka_unit_test(test_the_oldest_gives_way),
                cmocka_unit_test(test_who_sends_too_much_is_let_go),
                WITH_BOARD(test_the_time),
                WITH_BOARD(test_a_connection_comes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
