/* What a process that shares a listener may do to it, and that an honest one is never suspected. */
#include <linux/filter.h>
#include <netinet/tcp.h>

#include "base/cleanup.h"
#include "os/net/hangup_set.h"
#include "os/net/listener_check.h"
#include "unit/socket_helpers.h"

static const struct listener_options defaults = {
        .backlog = 64, .socket_uid = (uid_t)-1, .socket_gid = (gid_t)-1, .socket_mode = 0660};

static struct listener open_listener(const struct address *address, const struct listener_options *options)
{
        struct listener listener;

        assert_int_equal(listener_open(address, options, &listener), 0);
        return listener;
}

static struct listener_condition check(const struct listener *listener, const struct listener_options *options)
{
        struct listener_condition condition;

        listener_check(listener, options, &condition);
        return condition;
}

static void assert_sound(const struct listener *listener, const struct listener_options *options)
{
        struct listener_condition condition = check(listener, options);

        assert_true(condition.listens);
        assert_false(condition.filtered);
        assert_string_equal(condition.altered ? condition.altered : "nothing", "nothing");
}

static void set_number(int fd, int level, int option, int value)
{
        assert_int_equal(setsockopt(fd, level, option, &value, sizeof(value)), 0);
}

/* Fresh, with a client in the queue, after one was accepted, and after a reload has changed its options. */
static void honest(struct address address, struct listener_options options)
{
        struct listener listener = open_listener(&address, &options);

        assert_sound(&listener, &options);
        int client = connect_to(&address, 10000);
        assert_true(client >= 0);
        assert_sound(&listener, &options);
        int connection = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(connection >= 0);
        close(client);
        close(connection);
        assert_sound(&listener, &options);
        options.backlog = 7;
        options.tcp_nodelay = !options.tcp_nodelay;
        options.tcp_keepalive = !options.tcp_keepalive;
        options.nonblocking = true;
        assert_int_equal(listener_adjust(&listener, &options), 0);
        assert_sound(&listener, &options);
        listener_share_port(&listener, true);
        listener_share_port(&listener, false);
        assert_sound(&listener, &options);
        listener_close(&listener);
}

static void test_honest_ones_are_not_suspected(void **state)
{
        struct listener_options options = defaults;
        struct address everywhere = unique_address(AF_INET);
        char path[64];

        (void)state;
        honest(unique_address(AF_INET), options);
        honest(unique_address(AF_UNIX), options);
        options.device = "lo";
        honest(unique_address(AF_INET), options);
        options.device = NULL;
        snprintf(path, sizeof(path), "/tmp/preforkd-test-%d.sock", (int)getpid());
        struct address address = {0};
        assert_int_equal(address_parse(path, &address), 0);
        honest(address, options);
        options.tcp_nodelay = options.tcp_keepalive = options.free_bind = options.nonblocking = true;
        honest(unique_address(AF_INET), options);
        snprintf(path, sizeof(path), "*:%u", address_port(&everywhere));
        assert_int_equal(address_parse(path, &address), 0);
        honest(address, options);
}

static void test_shutdown(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener listener = open_listener(&address, &defaults);
        int set = hangup_set_open();

        (void)state;
        assert_true(set >= 0);
        assert_int_equal(hangup_set_add(set, listener.fd), 0);
        assert_int_equal(hangup_set_add(set, listener.fd), 0);
        close(connect_to(&address, 10000));
        assert_false(hangup_set_take(set));
        shutdown(listener.fd, SHUT_RDWR);
        assert_false(check(&listener, &defaults).listens);
        assert_true(hangup_set_take(set));
        assert_false(hangup_set_take(set)); /* once */
        assert_int_equal(listener_mend(&listener, &defaults), 0);
        assert_sound(&listener, &defaults);
        assert_int_equal(connect(listener.fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)), 0);
        assert_false(check(&listener, &defaults).listens);
        listener_close(&listener);

        address = unique_address(AF_UNIX);
        listener = open_listener(&address, &defaults);
        assert_int_equal(hangup_set_add(set, listener.fd), 0);
        shutdown(listener.fd, SHUT_RD);
        assert_true(hangup_set_take(set));
        assert_false(check(&listener, &defaults).listens);
        assert_int_equal(listener_mend(&listener, &defaults), -ESHUTDOWN); /* final */
        listener_close(&listener);
        close(set);
}

static void attach_filter(int fd)
{
        struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
        struct sock_fprog program;

        memset(&program, 0, sizeof(program));
        program.len = 1;
        program.filter = &nothing;
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
}

static void test_filter(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener listener = open_listener(&address, &defaults);

        (void)state;
        attach_filter(listener.fd);
        assert_true(check(&listener, &defaults).filtered);
        assert_int_equal(listener_mend(&listener, &defaults), 0);
        assert_sound(&listener, &defaults);
        attach_filter(listener.fd);
        set_number(listener.fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
        assert_int_equal(listener_mend(&listener, &defaults), -EPERM);
        assert_true(check(&listener, &defaults).filtered);
        listener_close(&listener);
}

static void test_options(void **state)
{
        const struct linger linger = {.l_onoff = 1};
        const struct timeval timeout = {.tv_sec = 1};
        const struct {
                int level, option;
                const void *value;
                socklen_t length;
                const char *name;
        } cases[] = {
                {SOL_SOCKET, SO_LINGER, &linger, sizeof(linger), "SO_LINGER"}, /* resets instead of answers */
                {SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout), "SO_RCVTIMEO"},
                {SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int), "SO_SNDBUF"},
                {SOL_SOCKET, SO_BINDTODEVICE, "lo", 3, "SO_BINDTODEVICE"},
                {IPPROTO_IP, IP_MINTTL, &(int){255}, sizeof(int), "IP_MINTTL"},
                {IPPROTO_TCP, TCP_MAXSEG, &(int){88}, sizeof(int), "TCP_MAXSEG"},
                {IPPROTO_TCP, TCP_USER_TIMEOUT, &(int){1}, sizeof(int), "TCP_USER_TIMEOUT"},
                {IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){9}, sizeof(int), "TCP_DEFER_ACCEPT"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct address address = unique_address(AF_INET);
                struct listener listener = open_listener(&address, &defaults);
                if (setsockopt(listener.fd, cases[i].level, cases[i].option, cases[i].value, cases[i].length) == 0)
                        assert_string_equal(check(&listener, &defaults).altered, cases[i].name);
                listener_close(&listener);
        }
}

static void small_queue(struct address address)
{
        struct listener listener = open_listener(&address, &defaults);

        assert_int_equal(listen(listener.fd, 0), 0);
        assert_string_equal(check(&listener, &defaults).altered, "backlog");
        assert_int_equal(listener_mend(&listener, &defaults), 0);
        assert_sound(&listener, &defaults);
        listener_close(&listener);
}

static void test_queue_and_flags(void **state)
{
        struct listener_options options = defaults;
        struct address address = unique_address(AF_INET);

        (void)state;
        small_queue(unique_address(AF_INET));
        small_queue(unique_address(AF_UNIX));
        options.nonblocking = true;
        struct listener listener = open_listener(&address, &options);
        assert_int_equal(fcntl(listener.fd, F_SETFL, 0), 0);
        assert_string_equal(check(&listener, &options).altered, "O_NONBLOCK");
        assert_int_equal(listener_mend(&listener, &options), 0);
        assert_sound(&listener, &options);
        listener_close(&listener);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_honest_ones_are_not_suspected),
                cmocka_unit_test(test_shutdown),
                cmocka_unit_test(test_filter),
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_queue_and_flags),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
