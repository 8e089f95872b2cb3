/* Listeners for datagrams: opened, measured, drained, checked, closed. */
#include <sys/stat.h>

#include "base/cleanup.h"
#include "os/net/datagram_barrier.h"
#include "os/net/listener.h"
#include "os/net/listener_check.h"
#include "os/net/listener_mark.h"
#include "unit/socket_helpers.h"

static const struct listener_options defaults = {
        .backlog = 64, .socket_uid = (uid_t)-1, .socket_gid = (gid_t)-1, .socket_mode = 0640};

static char directory[] = "/tmp/preforkd-test-XXXXXX";
static char path_text[64];

/* UDP, an abstract name, a path. */
static struct address address_of(unsigned kind)
{
        struct address address;

        if (kind < 2) {
                address = unique_address(kind == 0 ? AF_INET : AF_UNIX);
                address.datagram = true;
        } else
                assert_int_equal(address_parse(path_text, &address), 0);
        return address;
}

#define KINDS 3

static struct listener open_listener(const struct address *address, const struct listener_options *options)
{
        struct listener listener;

        assert_int_equal(listener_open(address, options, &listener), 0);
        return listener;
}

/* 0 or -errno. */
static int send_to(const struct address *address, const char *text)
{
        _cleanup_(fd_closep) int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        return sendto(fd, text, strlen(text), 0, &address->any, address->length) < 0 ? -errno : 0;
}

static void assert_receives(const struct listener *listener, const char *expected)
{
        char text[64] = "";

        assert_int_equal(recv(listener->fd, text, sizeof(text) - 1, MSG_DONTWAIT), strlen(expected));
        assert_string_equal(text, expected);
}

static uint32_t queue_length(const struct listener *listener)
{
        uint32_t length = UINT32_MAX;

        assert_int_equal(listener_queue_length(listener, &length), 0);
        return length;
}

static struct listener_mark mark_of(const struct listener *listener)
{
        struct listener_mark mark = {0};

        listener_mark_add(&mark, listener);
        return mark;
}

static void assert_mark(const struct listener *listener, uint64_t waiting, uint64_t first)
{
        struct listener_mark mark = mark_of(listener);

        assert_int_equal(mark.waiting, waiting);
        assert_int_equal(mark.first, first);
}

static void test_what_waits(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < KINDS; kind++) {
                struct address address = address_of(kind);
                struct listener listener = open_listener(&address, &defaults);
                assert_int_equal(queue_length(&listener), 0);
                assert_mark(&listener, 0, 0);
                assert_true(listener_is_drained(&listener));
                assert_int_equal(send_to(&address, "the first"), 0);
                assert_int_equal(send_to(&address, "the second"), 0);
                assert_int_equal(queue_length(&listener), 1);
                assert_false(listener_is_drained(&listener));
                struct listener_mark before = mark_of(&listener);
                assert_mark(&listener, before.waiting, before.first);
                assert_receives(&listener, "the first");
                struct listener_mark after = mark_of(&listener);
                assert_true(after.first != before.first && after.first != 0);
                assert_true(kind == 0 ? after.waiting < before.waiting : after.waiting > 0);
                assert_receives(&listener, "the second");
                assert_mark(&listener, 0, 0);
                listener_close(&listener);
        }
}

/* What was sent before is still there; what is sent afterwards does not arrive. */
static void test_drain(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < KINDS; kind++) {
                struct address address = address_of(kind);
                struct listener listener = open_listener(&address, &defaults);
                assert_int_equal(send_to(&address, "before"), 0);
                assert_int_equal(listener_drain(&listener, false), 0);
                send_to(&address, "after");
                assert_false(listener_is_drained(&listener));
                assert_receives(&listener, "before");
                assert_true(listener_is_drained(&listener));
                listener_close(&listener);
        }
}

static void test_undrain(void **state)
{
        struct address address = address_of(0);
        struct listener listener = open_listener(&address, &defaults);

        (void)state;
        assert_int_equal(listener_drain(&listener, false), 0);
        assert_int_equal(send_to(&address, "lost"), 0);
        assert_int_equal(listener_undrain(&listener), 0);
        assert_int_equal(send_to(&address, "found"), 0);
        assert_receives(&listener, "found");
        listener_close(&listener);
}

/* A program that reads there sees no end of file where it had none before. */
static void test_drain_unnoticed(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < KINDS; kind++) {
                char byte;
                struct address address = address_of(kind);
                struct listener listener = open_listener(&address, &defaults);
                assert_int_equal(listener_drain(&listener, true), 0);
                assert_int_equal(fcntl(listener.fd, F_GETFL) & O_NONBLOCK, 0);
                assert_int_equal(recv(listener.fd, &byte, 1, MSG_DONTWAIT), -1);
                assert_int_equal(errno, EAGAIN);
                listener_close(&listener);
        }
}

/* What goes to the next listener of the address does not reach the one that is replaced. */
static void test_replaced(void **state)
{
        struct listener_options sharing = defaults;
        struct address address = address_of(0);
        struct listener old = open_listener(&address, &defaults);

        (void)state;
        listener_share_port(&old, true);
        sharing.shares_port = true;
        struct listener next = open_listener(&address, &sharing);
        assert_int_equal(send_to(&address, "either"), 0);
        assert_int_equal(queue_length(&old) + queue_length(&next), 1);
        recv(queue_length(&old) ? old.fd : next.fd, (char[8]){0}, 8, 0);
        old.replaced = true;
        assert_int_equal(listener_drain(&old, false), 0);
        for (unsigned i = 0; i < 20; i++) { /* each from a port of its own */
                assert_int_equal(send_to(&address, "x"), 0);
                assert_receives(&next, "x");
        }
        assert_int_equal(queue_length(&old), 0);
        listener_close(&old);
        listener_close(&next);
}

static void test_taken(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < KINDS; kind++) {
                struct address address = address_of(kind), other = address;
                struct listener again, listener = open_listener(&address, &defaults);
                assert_int_equal(listener_open(&address, &defaults, &again), -EADDRINUSE);
                other.datagram = false;
                if (kind < 2) { /* TCP has ports, and streams have names, of their own */
                        again = open_listener(&other, &defaults);
                        listener_close(&again);
                } else
                        assert_int_equal(listener_open(&other, &defaults, &again), -EADDRINUSE);
                listener_close(&listener);
                again = open_listener(&address, &defaults);
                listener_close(&again);
        }
}

/* A file of a process that was killed is replaced. */
static void test_a_stale_file(void **state)
{
        struct address address = address_of(2);
        struct listener listener = open_listener(&address, &defaults);
        struct stat status;

        (void)state;
        close(listener.fd);
        assert_int_equal(stat(address.un.sun_path, &status), 0);
        assert_int_equal(send_to(&address, "nobody"), -ECONNREFUSED);
        listener = open_listener(&address, &defaults);
        assert_int_equal(stat(address.un.sun_path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0640);
        assert_int_equal(send_to(&address, "somebody"), 0);
        assert_receives(&listener, "somebody");
        listener_close(&listener);
        assert_int_equal(stat(address.un.sun_path, &status), -1);
}

static void test_its_condition(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < KINDS; kind++) {
                struct address address = address_of(kind);
                struct listener listener = open_listener(&address, &defaults);
                struct listener_condition condition;
                assert_int_equal(send_to(&address, "x"), 0);
                listener_check(&listener, &defaults, &condition);
                assert_true(condition.listens && !condition.filtered && !condition.altered);
                assert_int_equal(datagram_barrier_filter(listener.fd), 0);
                listener_check(&listener, &defaults, &condition);
                assert_true(condition.listens && condition.filtered);
                assert_int_equal(listener_mend(&listener, &defaults), 0);
                listener_check(&listener, &defaults, &condition);
                assert_false(condition.filtered);
                shutdown(listener.fd, SHUT_RD);
                listener_check(&listener, &defaults, &condition);
                assert_false(condition.listens);
                listener_close(&listener);
        }
}

/* By a worker: then it gets what one client sends, and nothing else. */
static void test_connected(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < KINDS; kind++) {
                struct address address = address_of(kind);
                struct listener listener = open_listener(&address, &defaults);
                struct listener_condition condition;
                assert_int_equal(connect(listener.fd, &address.any, address.length), 0);
                listener_check(&listener, &defaults, &condition);
                assert_false(condition.listens);
                assert_int_equal(listener_mend(&listener, &defaults), 0);
                listener_check(&listener, &defaults, &condition);
                assert_true(condition.listens);
                assert_int_equal(send_to(&address, "x"), 0);
                assert_receives(&listener, "x");
                listener_close(&listener);
        }
}

/* Of an answer to a client who has gone. */
static void test_an_error_is_no_damage(void **state)
{
        struct address address = address_of(0), nobody = address_of(0);
        struct listener listener = open_listener(&address, &defaults), gone = open_listener(&nobody, &defaults);
        struct pollfd poller = {.fd = listener.fd};
        const int on = 1;

        (void)state;
        listener_close(&gone);
        assert_int_equal(setsockopt(listener.fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
        assert_int_equal(sendto(listener.fd, "x", 1, 0, &nobody.any, nobody.length), 1);
        assert_int_equal(poll(&poller, 1, 10000), 1);
        assert_int_equal(poller.revents, POLLERR);
        assert_true(listener_listens(&listener));
        assert_int_equal(queue_length(&listener), 0);
        assert_true(listener_has_errors(&listener));
        assert_int_equal(send_to(&address, "y"), 0);
        assert_false(listener_has_errors(&listener)); /* and something that waits */
        listener_forget_errors(&listener);
        assert_receives(&listener, "y");
        assert_int_equal(poll(&poller, 1, 0), 0);
        listener_close(&listener);
}

static int make_directory(void **state)
{
        (void)state;
        if (!mkdtemp(directory))
                return -1;
        snprintf(path_text, sizeof(path_text), "unixgram:%s/s", directory);
        return 0;
}

static int remove_directory(void **state)
{
        (void)state;
        return rmdir(directory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_waits),   cmocka_unit_test(test_drain),
                cmocka_unit_test(test_undrain),      cmocka_unit_test(test_drain_unnoticed),
                cmocka_unit_test(test_replaced),     cmocka_unit_test(test_taken),
                cmocka_unit_test(test_a_stale_file), cmocka_unit_test(test_its_condition),
                cmocka_unit_test(test_connected),    cmocka_unit_test(test_an_error_is_no_damage),
        };

        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
