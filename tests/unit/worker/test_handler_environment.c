#include "unit/socket_helpers.h"
#include "worker/handler_environment.h"

static char *const *set_peer(struct handler_environment *environment, const struct address *peer, int connection)
{
        const struct client client = {.peer = *peer};

        return handler_environment_set_peer(environment, &client, connection);
}

static struct words fixed; /* the pool's variables */
static char directory[] = "/tmp/preforkd-test-XXXXXX";

static struct handler_environment *new_environment(char *const *inherited)
{
        struct handler_environment *environment = NULL;

        assert_int_equal(handler_environment_new(&fixed, inherited, &environment), 0);
        return environment;
}

static const char *value_of(char *const *vector, const char *name)
{
        size_t length = strlen(name);
        const char *value = NULL;

        for (; *vector; vector++)
                if (strncmp(*vector, name, length) == 0 && (*vector)[length] == '=') {
                        assert_null(value); /* no name twice */
                        value = *vector + length + 1;
                }
        return value;
}

static size_t count_of(char *const *vector)
{
        size_t count = 0;

        while (vector[count])
                count++;
        return count;
}

static void expect(char *const *vector, const char *name, const char *value)
{
        const char *found = value_of(vector, name);

        if (!found || !text_equal(found, value))
                fail_msg("%s is %s, not %s", name, found ? found : "not set", value);
}

/* A connection: the descriptor of our end, and the peer as accept(2) gave it. */
struct link {
        int client, connection;
        struct address peer;
};

static struct link connect_both(int listener, int client, const struct address *address)
{
        struct link link = {.client = client, .peer.length = sizeof(link.peer.un)};

        assert_int_equal(connect(client, &address->any, address->length), 0);
        link.connection = accept4(listener, &link.peer.any, &link.peer.length, SOCK_CLOEXEC);
        assert_true(link.connection >= 0);
        return link;
}

static void end_link(struct link *link)
{
        close(link->client);
        close(link->connection);
}

static const char *port_of_peer(const struct link *link)
{
        static char text[16];

        snprintf(text, sizeof(text), "%u", address_port(&link->peer));
        return text;
}

static void expect_tcp(char *const *vector, const struct link *link, const char *local, const char *local_port,
                       const char *remote)
{
        expect(vector, "PROTO", "TCP");
        expect(vector, "TCPLOCALIP", local);
        expect(vector, "TCPLOCALPORT", local_port);
        expect(vector, "TCPREMOTEIP", remote);
        expect(vector, "TCPREMOTEPORT", port_of_peer(link));
        expect(vector, "REMOTE_ADDR", remote);
        expect(vector, "REMOTE_PORT", port_of_peer(link));
        expect(vector, "REMOTE_HOST", remote);
}

static void test_tcp(void **state)
{
        struct address address = unique_address(AF_INET), own = {.in = {.sin_family = AF_INET}};
        int listener = listen_on(&address, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct handler_environment *environment = new_environment(NULL);
        char local[ADDRESS_TEXT_MAX], port[8];

        (void)state;
        snprintf(port, sizeof(port), "%u", address_port(&address));
        own.in.sin_addr.s_addr = htonl(0x7f090807);
        assert_int_equal(bind(client, &own.any, sizeof(own.in)), 0);
        struct link link = connect_both(listener, client, &address);
        char *const *vector = set_peer(environment, &link.peer, link.connection);
        address_format_host(&address, local, sizeof(local));
        expect_tcp(vector, &link, local, port, "127.9.8.7");
        assert_int_equal(count_of(vector), 8);
        end_link(&link);
        close(listener);
        handler_environment_free(environment);
}

/* Connections of both families through one IPv6 socket: IPv4 clients look the same as through an IPv4 socket. */
static void test_ipv6_and_mapped(void **state)
{
        struct address address = {.in6 = {.sin6_family = AF_INET6}, .length = sizeof(address.in6)};
        struct handler_environment *environment = new_environment(NULL);
        int off = 0, listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char port[16];

        (void)state;
        if (listener < 0 || setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
            bind(listener, &address.any, address.length) < 0 || listen(listener, 8) < 0)
                skip();
        getsockname(listener, &address.any, &address.length);
        snprintf(port, sizeof(port), "%u", address_port(&address));
        address.in6.sin6_addr = in6addr_loopback;
        struct link link = connect_both(listener, socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), &address);
        expect_tcp(set_peer(environment, &link.peer, link.connection), &link, "::1", port, "::1");
        end_link(&link);

        struct address four = {.in = {.sin_family = AF_INET, .sin_port = address.in6.sin6_port},
                               .length = sizeof(four.in)};
        four.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        link = connect_both(listener, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &four);
        assert_int_equal(link.peer.any.sa_family, AF_INET6);
        expect_tcp(set_peer(environment, &link.peer, link.connection), &link, "127.0.0.1", port, "127.0.0.1");
        end_link(&link);
        close(listener);
        handler_environment_free(environment);
}

static void expect_credentials(char *const *vector)
{
        char text[32];

        expect(vector, "PROTO", "UNIX");
        snprintf(text, sizeof(text), "%d", (int)getpid());
        expect(vector, "UNIXREMOTEPID", text);
        snprintf(text, sizeof(text), "%u", geteuid());
        expect(vector, "UNIXREMOTEEUID", text);
        snprintf(text, sizeof(text), "%u", getegid());
        expect(vector, "UNIXREMOTEEGID", text);
        assert_null(value_of(vector, "REMOTE_ADDR"));
        assert_null(value_of(vector, "TCPREMOTEIP"));
}

static void test_unix(void **state)
{
        struct handler_environment *environment = new_environment(NULL);
        struct address address, own;
        char path[80];

        (void)state;
        snprintf(path, sizeof(path), "%s/listener", directory);
        assert_int_equal(address_parse(path, &address), 0);
        int listener = listen_on(&address, 0);
        struct link link = connect_both(listener, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &address);
        char *const *vector = set_peer(environment, &link.peer, link.connection);
        expect_credentials(vector);
        expect(vector, "UNIXLOCALPATH", path);
        assert_null(value_of(vector, "UNIXREMOTEPATH")); /* clients have no name as a rule */
        assert_int_equal(count_of(vector), 5);
        end_link(&link);

        char client_path[80];
        snprintf(client_path, sizeof(client_path), "%s/client", directory);
        assert_int_equal(address_parse(client_path, &own), 0);
        int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(client, &own.any, own.length), 0);
        link = connect_both(listener, client, &address);
        vector = set_peer(environment, &link.peer, link.connection);
        expect_credentials(vector);
        expect(vector, "UNIXREMOTEPATH", client_path);
        end_link(&link);
        unlink(client_path);
        unlink(path);
        close(listener);
        handler_environment_free(environment);
}

static void test_abstract(void **state)
{
        struct handler_environment *environment = new_environment(NULL);
        struct address address = unique_address(AF_UNIX);
        char name[ADDRESS_TEXT_MAX];
        int listener = listen_on(&address, 0);

        (void)state;
        address_format(&address, name, sizeof(name));
        assert_true(name[0] == '@');
        struct link link = connect_both(listener, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &address);
        char *const *vector = set_peer(environment, &link.peer, link.connection);
        expect_credentials(vector);
        expect(vector, "UNIXLOCALPATH", name);
        end_link(&link);
        close(listener);
        handler_environment_free(environment);
}

/* The longest names there are: nothing is cut. */
static void test_longest_names(void **state)
{
        struct handler_environment *environment = new_environment(NULL);
        struct address address = {.un = {.sun_family = AF_UNIX}, .length = sizeof(address.un)};
        struct address own = address;
        char text[ADDRESS_TEXT_MAX];

        (void)state;
        memset(address.un.sun_path + 1, 'l', sizeof(address.un.sun_path) - 1);
        memset(own.un.sun_path + 1, 'r', sizeof(own.un.sun_path) - 1);
        int listener = listen_on(&address, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(client, &own.any, own.length), 0);
        struct link link = connect_both(listener, client, &address);
        char *const *vector = set_peer(environment, &link.peer, link.connection);
        address_format(&address, text, sizeof(text));
        assert_int_equal(strlen(text), sizeof(address.un.sun_path));
        expect(vector, "UNIXLOCALPATH", text);
        address_format(&own, text, sizeof(text));
        expect(vector, "UNIXREMOTEPATH", text);
        end_link(&link);
        close(listener);
        handler_environment_free(environment);
}

/* No variable of one connection remains for the next, and a connection that cannot be queried has none. */
static void test_never_stale(void **state)
{
        struct address tcp = unique_address(AF_INET), local = unique_address(AF_UNIX);
        int tcp_listener = listen_on(&tcp, 0), unix_listener = listen_on(&local, 0);
        struct handler_environment *environment = new_environment(NULL);
        struct link link = connect_both(tcp_listener, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &tcp);

        (void)state;
        assert_int_equal(count_of(set_peer(environment, &link.peer, link.connection)), 8);
        struct address tcp_peer = link.peer;
        end_link(&link);
        link = connect_both(unix_listener, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &local);
        char *const *vector = set_peer(environment, &link.peer, link.connection);
        expect_credentials(vector);
        assert_int_equal(count_of(vector), 5);
        int closed = link.connection;
        end_link(&link);
        assert_int_equal(count_of(set_peer(environment, &tcp_peer, closed)), 0);
        close(tcp_listener);
        close(unix_listener);
        handler_environment_free(environment);
}

static void test_fixed_part(void **state)
{
        char *const inherited[] = {
                (char[]){"PATH=/usr/bin"},
                (char[]){"LANG=C"},
                (char[]){"NOTIFY_SOCKET=/run/x"},
                (char[]){"LISTEN_FDS=3"},
                (char[]){"LISTEN_PID=1"},
                (char[]){"LISTEN_FDNAMES=a"},
                (char[]){"WATCHDOG_USEC=1"},
                (char[]){"WATCHDOG_PID=1"},
                (char[]){"JOURNAL_STREAM=1:2"},
                (char[]){"INVOCATION_ID=abc"},
                (char[]){"CREDENTIALS_DIRECTORY=/"},
                (char[]){"REMOTE_ADDR=192.0.2.9"},
                (char[]){"TCPREMOTEINFO=root"},
                (char[]){"UNIXREMOTEEUID=0"},
                (char[]){"PROTO=TCP"},
                (char[]){"PROTOCOL=kept"},
                (char[]){"LISTEN_FDS_OF_MINE=kept"},
                (char[]){"EMPTY="},
                (char[]){"LANG=C.UTF-8"},
                NULL,
        };

        (void)state;
        assert_int_equal(words_add(&fixed, "PATH=/bin"), 0);
        assert_int_equal(words_add(&fixed, "HOME=/home/x=y"), 0);
        assert_int_equal(words_add(&fixed, "HOME=/home/z"), 0); /* later ones win */
        struct handler_environment *environment = new_environment(inherited);
        words_clear(&fixed);
        char *const *vector = set_peer(environment, &(struct address){0}, -1);
        expect(vector, "PATH", "/bin");
        expect(vector, "HOME", "/home/z");
        expect(vector, "LANG", "C.UTF-8");
        expect(vector, "PROTOCOL", "kept");
        expect(vector, "LISTEN_FDS_OF_MINE", "kept");
        expect(vector, "EMPTY", "");
        assert_int_equal(count_of(vector), 6);
        assert_string_equal(handler_environment_get(environment, "PATH"), "/bin");
        assert_string_equal(handler_environment_get(environment, "EMPTY"), "");
        assert_null(handler_environment_get(environment, "PAT"));
        assert_null(handler_environment_get(environment, "PATHS"));
        handler_environment_free(environment);
        handler_environment_free(NULL);
}

/* execve(2) accepts any strings, so our environment may have some that are not variables. */
static void test_inherited_nonsense(void **state)
{
        char *const inherited[] = {(char[]){"PATH"}, (char[]){""}, (char[]){"=x"}, (char[]){"A=1"}, NULL};
        struct handler_environment *environment = new_environment(inherited);

        (void)state;
        assert_null(handler_environment_get(environment, "PATH"));
        assert_string_equal(handler_environment_get(environment, "A"), "1");
        char *const *vector = set_peer(environment, &(struct address){0}, -1);
        assert_int_equal(count_of(vector), 1);
        handler_environment_free(environment);
}

static int setup(void **state)
{
        (void)state;
        return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
        (void)state;
        return rmdir(directory);
}

/* Of one name the last counts, the pool's before inherited ones; a name that begins another is another name. */
static void test_the_last_of_a_name_counts(void **state)
{
        static const char *const inherited[] = {"A=1", "AB=2", "A=3", "B=4", "A_=5", NULL};
        static const char *const variables[] = {"B=6", "AB=", "C=A=7", NULL};
        struct words own = {0};
        struct handler_environment *environment = NULL;

        (void)state;
        for (size_t i = 0; variables[i]; i++)
                assert_int_equal(words_add(&own, variables[i]), 0);
        assert_int_equal(handler_environment_new(&own, (char *const *)(uintptr_t)inherited, &environment), 0);
        words_clear(&own);
        assert_string_equal(handler_environment_get(environment, "A"), "3");
        assert_string_equal(handler_environment_get(environment, "AB"), "");
        assert_string_equal(handler_environment_get(environment, "A_"), "5");
        assert_string_equal(handler_environment_get(environment, "B"), "6");
        assert_string_equal(handler_environment_get(environment, "C"), "A=7");
        const struct address peer = {.any.sa_family = AF_UNSPEC};
        assert_int_equal(count_of(set_peer(environment, &peer, -1)), 5);
        handler_environment_free(environment);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_last_of_a_name_counts),
                cmocka_unit_test(test_tcp),
                cmocka_unit_test(test_ipv6_and_mapped),
                cmocka_unit_test(test_unix),
                cmocka_unit_test(test_abstract),
                cmocka_unit_test(test_longest_names),
                cmocka_unit_test(test_never_stale),
                cmocka_unit_test(test_fixed_part),
                cmocka_unit_test(test_inherited_nonsense),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
