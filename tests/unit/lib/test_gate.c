#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/gate.h"
#include "unit/board_helpers.h"
#include "unit/socket_helpers.h"

static enum gate_answer decide(const struct gate *gate, struct request_desk *desk, int connection)
{
        struct client client = {.peer.any.sa_family = AF_UNIX};
        enum proxy_result reason;

        return gate_decide(gate, desk, &client, connection, &reason);
}

/* A client that does not read what it has got cannot hold up a worker; one that has gone is the handler's. */
static void test_banner(void **state)
{
        struct fixture *fixture = *state;
        struct request_desk desk = {.slot = attach(fixture, 3)};
        const struct gate gate = {.banner = {.bytes = "220 here\n", .length = 9}};
        char bytes[64];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(decide(&gate, &desk, fds[0]), GATE_ADMITTED);
        assert_int_equal(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT), 9);
        assert_memory_equal(bytes, "220 here\n", 9);
        while (send(fds[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
                ;
        assert_int_equal(decide(&gate, &desk, fds[0]), GATE_NO_ROOM);
        assert_int_equal(desk.slot.words->refused_banner, 1);
        assert_int_equal(desk.slot.words->source, 0);
        close(fds[1]);
        assert_int_equal(decide(&gate, &desk, fds[0]), GATE_ADMITTED);
        assert_int_equal(decide(&gate, &desk, -1), GATE_ADMITTED);
        assert_int_equal(desk.slot.words->refused_banner, 1);
        close(fds[0]);
}

/* Tables that have no rules, and the texts. */
struct memory {
        struct access_table access, proxies;
        struct gate_texts texts;
        char bytes[8];
};

static void test_found_in_memory(void **state)
{
        const struct access_table table = {.version = ACCESS_TABLE_VERSION, .bytes = sizeof(table)};
        struct memory memory = {.access = table,
                                .proxies = table,
                                .texts = {.banner_bytes = 3, .full_response_bytes = 5},
                                .bytes = "bannfull"};
        struct gate gate = {0};

        (void)state;
        assert_true(gate_find(&memory, sizeof(memory), &gate));
        assert_ptr_equal(gate.access, &memory.access);
        assert_ptr_equal(gate.proxies, &memory.proxies);
        assert_ptr_equal(gate.banner.bytes, memory.bytes);
        assert_int_equal(gate.banner.length, 3);
        assert_ptr_equal(gate.full_response.bytes, memory.bytes + 3);
        assert_int_equal(gate.full_response.length, 5);
        assert_false(gate_find(&memory, sizeof(memory) - 1, &gate));
        assert_false(gate_find(&memory, offsetof(struct memory, texts) + 1, &gate));
        assert_false(gate_find(&memory, offsetof(struct memory, texts) - 1, &gate));
        assert_false(gate_find(&memory, offsetof(struct memory, proxies) - 1, &gate));
        memory.texts.banner_bytes = UINT32_MAX;
        assert_false(gate_find(&memory, sizeof(memory), &gate));
        memory.texts.banner_bytes = 0;
        memory.texts.full_response_bytes = UINT32_MAX;
        assert_false(gate_find(&memory, sizeof(memory), &gate));
        memory.proxies.bytes = 0;
        assert_false(gate_find(&memory, sizeof(memory), &gate));
        memory.access.version++;
        assert_false(gate_find(&memory, sizeof(memory), &gate));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_banner, board_setup, board_teardown),
                cmocka_unit_test(test_found_in_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
