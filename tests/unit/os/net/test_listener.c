#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "os/kernel_setting.h"
#include "os/net/listener.h"
#include "os/net/sock_diag.h"
#include "os/net/tcp_barrier.h"
#include "unit/socket_helpers.h"

#define CLIENT_MS 10000

static char directory[] = "/tmp/preforkd-test-XXXXXX";
static char socket_path[64];

static const struct listener_options defaults = {
        .backlog = 64,
        .socket_uid = (uid_t)-1,
        .socket_gid = (gid_t)-1,
        .socket_mode = 0660,
};

static struct address address_of(const char *text)
{
        struct address address;

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static struct address path_address(void)
{
        return address_of(socket_path);
}

static struct listener open_listener(const struct address *address, const struct listener_options *options)
{
        struct listener listener;

        assert_int_equal(listener_open(address, options, &listener), 0);
        return listener;
}

static int get_option(int fd, int level, int option)
{
        int value = -1;
        socklen_t length = sizeof(value);

        assert_int_equal(getsockopt(fd, level, option, &value, &length), 0);
        return value;
}

/* True if a client gets through to the listener. */
static bool reaches(const struct address *address, const struct listener *listener)
{
        int client = connect_to(address, CLIENT_MS), connection;

        if (client < 0)
                return false;
        connection = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        close(client);
        if (connection >= 0)
                close(connection);
        return connection >= 0;
}

static uint32_t queue_length(const struct listener *listener)
{
        uint32_t length = UINT32_MAX;

        assert_int_equal(listener_queue_length(listener, &length), 0);
        return length;
}

/* Find a free port of that family. */
static unsigned free_port(int family)
{
        struct address address = {.any.sa_family = (sa_family_t)family};
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return 0;
        address.length = family == AF_INET ? sizeof(address.in) : sizeof(address.in6);
        unsigned port =
                bind(fd, &address.any, address.length) == 0 && getsockname(fd, &address.any, &address.length) == 0
                        ? address_port(&address)
                        : 0;
        close(fd);
        return port;
}

static bool has_ipv6(void)
{
        struct address address = address_of("[::1]:1");
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address.in6.sin6_port = 0;
        bool works = fd >= 0 && bind(fd, &address.any, address.length) == 0;
        if (fd >= 0)
                close(fd);
        return works;
}

/* Open a free port of `host`; another test may take the port in between, so a few are tried. */
static struct listener open_on_free_port(const char *host, const struct listener_options *options, unsigned *ret_port)
{
        struct listener listener = {.fd = -1};
        char text[64];
        int r = -EADDRINUSE;

        for (unsigned tries = 0; tries < 10 && r == -EADDRINUSE; tries++) {
                *ret_port = free_port(AF_INET6);
                snprintf(text, sizeof(text), "%s:%u", host, *ret_port);
                struct address address = address_of(text);
                r = listener_open(&address, options, &listener);
        }
        assert_int_equal(r, 0);
        return listener;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void test_tcp4(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener again = {.fd = 4711}, listener = open_listener(&address, &defaults);

        (void)state;
        assert_int_equal(fcntl(listener.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(listener.fd, F_GETFL) & O_NONBLOCK, 0);
        assert_true(address_equal(&listener.address, &address));
        assert_true(reaches(&address, &listener));
        assert_int_equal(listener_open(&address, &defaults, &again), -EADDRINUSE);
        assert_int_equal(again.fd, 4711);
        listener_close(&listener);
        assert_int_equal(listener.fd, -1);
        assert_int_equal(connect_to(&address, CLIENT_MS), -ECONNREFUSED);
        listener = open_listener(&address, &defaults); /* whatever waits in TIME_WAIT */
        listener_close(&listener);
}

static void test_no_such_address(void **state)
{
        struct address address = address_of("192.0.2.1:7007"); /* for documentation: nobody has it */
        struct listener listener;

        (void)state;
        assert_int_equal(listener_open(&address, &defaults, &listener), -EADDRNOTAVAIL);
}

static void test_tcp6(void **state)
{
        char text[32];
        unsigned port;

        (void)state;
        if (!has_ipv6())
                skip();
        struct listener listener = open_on_free_port("[::1]", &defaults, &port);
        snprintf(text, sizeof(text), "[::1]:%u", port);
        struct address client = address_of(text);
        assert_true(reaches(&client, &listener));
        listener_close(&listener);
}

static void test_dual_stack(void **state)
{
        char text[32];
        unsigned port;

        (void)state;
        if (!has_ipv6())
                skip();
        struct listener listener = open_on_free_port("*", &defaults, &port);
        snprintf(text, sizeof(text), "[::1]:%u", port);
        struct address six = address_of(text);
        snprintf(text, sizeof(text), "127.0.0.1:%u", port);
        struct address four = address_of(text);
        assert_true(reaches(&six, &listener));
        assert_true(reaches(&four, &listener));
        listener_close(&listener);
}

static void test_ipv6_only(void **state)
{
        struct listener_options options = defaults;
        char text[32];
        unsigned port;

        (void)state;
        if (!has_ipv6())
                skip();
        options.ipv6_only = true;
        struct listener listener = open_on_free_port("[::]", &options, &port);
        assert_int_equal(get_option(listener.fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
        snprintf(text, sizeof(text), "[::1]:%u", port);
        struct address six = address_of(text);
        assert_true(reaches(&six, &listener));
        listener_close(&listener);
}

/* Addresses that no interface has (RFC 5737 and 3849), with and without. */
static void test_free_bind(void **state)
{
        static const char *const texts[] = {"192.0.2.77:7007", "[2001:db8::77]:7007"};
        struct listener_options options = defaults;

        (void)state;
        for (size_t i = 0; i < (has_ipv6() ? 2 : 1); i++) {
                struct address address = address_of(texts[i]);
                struct listener listener = {.fd = -1};
                options.free_bind = false;
                assert_int_equal(listener_open(&address, &options, &listener), -EADDRNOTAVAIL);
                assert_int_equal(listener_try(&address, &options), -EADDRNOTAVAIL);
                options.free_bind = true;
                assert_int_equal(listener_try(&address, &options), 0);
                assert_int_equal(listener_open(&address, &options, &listener), 0);
                listener_close(&listener);
        }
}

static void test_abstract(void **state)
{
        struct address address = unique_address(AF_UNIX);
        struct listener again = {.fd = -1}, listener = open_listener(&address, &defaults);

        (void)state;
        assert_true(reaches(&address, &listener));
        assert_int_equal(listener_open(&address, &defaults, &again), -EADDRINUSE);
        int held = fcntl(listener.fd, F_DUPFD_CLOEXEC, 0);
        listener_close(&listener);
        assert_int_equal(connect_to(&address, CLIENT_MS), -ECONNREFUSED);
        assert_int_equal(listener_open(&address, &defaults, &again), -EBUSY);
        assert_int_equal(listener_try(&address, &defaults), -EBUSY);
        close(held);
        assert_int_equal(listener_try(&address, &defaults), 0);
}

/* --- UNIX paths --------------------------------------------------------------------------------------------------- */

static void test_path(void **state)
{
        struct address address = path_address();
        struct listener_options options = defaults;
        struct stat status;

        (void)state;
        options.socket_mode = 0606;
        mode_t before = umask(077);
        struct listener listener = open_listener(&address, &options);
        umask(before);
        assert_int_equal(lstat(socket_path, &status), 0);
        assert_true(S_ISSOCK(status.st_mode));
        assert_int_equal(status.st_mode & 07777, 0606);
        assert_int_equal(status.st_uid, geteuid());
        assert_true(reaches(&address, &listener));
        listener_close(&listener);
        assert_int_equal(lstat(socket_path, &status), -1);
}

static void test_path_owner(void **state)
{
        struct address address = path_address();
        struct listener_options options = defaults;
        struct stat status;

        (void)state;
        if (geteuid() != 0)
                skip();
        options.socket_uid = 12345;
        options.socket_gid = 23456;
        struct listener listener = open_listener(&address, &options);
        assert_int_equal(lstat(socket_path, &status), 0);
        assert_int_equal(status.st_uid, 12345);
        assert_int_equal(status.st_gid, 23456);
        assert_int_equal(status.st_mode & 07777, 0660);
        listener_close(&listener);
}

static void test_stale_path_is_taken_over(void **state)
{
        struct address address = path_address();

        (void)state;
        close(listen_on(&address, 0)); /* as a killed process leaves it */
        assert_int_equal(access(socket_path, F_OK), 0);
        struct listener listener = open_listener(&address, &defaults);
        assert_true(reaches(&address, &listener));
        listener_close(&listener);
}

static void test_live_path_is_not(void **state)
{
        struct address address = path_address();
        int other = listen_on(&address, SOCK_NONBLOCK);
        struct listener listener = {.fd = 4711};

        (void)state;
        assert_int_equal(listener_open(&address, &defaults, &listener), -EADDRINUSE);
        assert_int_equal(listener.fd, 4711);
        int client = connect_to(&address, CLIENT_MS); /* it is as it was */
        assert_true(client >= 0);
        close(client);
        close(other);
        unlink(socket_path);
}

/* A process listens, but its queue is full: connect(2) fails with EAGAIN, and the socket is not stale. */
static void test_full_path_is_not(void **state)
{
        struct address address = path_address();
        struct listener listener;
        int clients[16], other = listen_on(&address, 0);
        unsigned count = 0;

        (void)state;
        assert_int_equal(listen(other, 1), 0);
        while (count < 16) {
                clients[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (connect(clients[count++], &address.any, address.length) < 0)
                        break;
        }
        assert_int_equal(errno, EAGAIN);
        assert_int_equal(listener_open(&address, &defaults, &listener), -EADDRINUSE);
        while (count > 0)
                close(clients[--count]);
        close(other);
        unlink(socket_path);
}

static void test_datagram_path_is_not(void **state)
{
        struct address address = path_address();
        struct listener listener;
        int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void)state;
        assert_int_equal(bind(other, &address.any, address.length), 0);
        assert_int_equal(listener_open(&address, &defaults, &listener), -EADDRINUSE);
        close(other);
        unlink(socket_path);
}

static void test_other_files_are_left_alone(void **state)
{
        struct address address = path_address();
        struct listener listener;
        struct stat status;
        int file = open(socket_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        (void)state;
        assert_true(file >= 0);
        close(file);
        assert_int_equal(listener_open(&address, &defaults, &listener), -ENOTSOCK);
        assert_int_equal(lstat(socket_path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        unlink(socket_path);

        assert_int_equal(symlink("nowhere", socket_path), 0); /* not followed, not removed */
        assert_int_equal(listener_open(&address, &defaults, &listener), -ENOTSOCK);
        assert_int_equal(lstat(socket_path, &status), 0);
        unlink(socket_path);
}

static void test_path_without_directory(void **state)
{
        struct address address = address_of("/tmp/preforkd-no-such-directory/socket");
        struct listener listener;

        (void)state;
        assert_int_equal(listener_open(&address, &defaults, &listener), -ENOENT);
}

static int try_as_nobody(void)
{
        struct address address = path_address();

        if (geteuid() == 0 && (chmod(directory, 0755) < 0 || setresuid(65534, 65534, 65534) < 0))
                return 1;
        return geteuid() != 65534 || listener_try(&address, &defaults) == -EACCES ? 0 : 2;
}

/* listener_try() returns what listener_open() would, without visible effects. */
static void test_trying(void **state)
{
        struct address tcp = unique_address(AF_INET), named = unique_address(AF_UNIX), path = path_address();
        struct address none = address_of("/tmp/preforkd-no-such-directory/socket"),
                       file = address_of("/dev/null/socket"), device = address_of("/dev/null"),
                       foreign = address_of("192.0.2.1:7007");
        int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);

        (void)state;
        close(lowest);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(listener_try(&tcp, &defaults), 0);
                assert_int_equal(listener_try(&named, &defaults), 0);
                assert_int_equal(listener_try(&path, &defaults), 0);
        }
        assert_int_equal(access(socket_path, F_OK), -1);
        assert_int_equal(connect_to(&tcp, CLIENT_MS), -ECONNREFUSED);
        assert_int_equal(connect_to(&named, CLIENT_MS), -ECONNREFUSED);
        assert_int_equal(fcntl(lowest, F_GETFD), -1);
        assert_int_equal(listener_try(&none, &defaults), -ENOENT);
        assert_int_equal(listener_try(&file, &defaults), -ENOTDIR);
        assert_int_equal(listener_try(&device, &defaults), -ENOTSOCK);
        assert_int_equal(listener_try(&foreign, &defaults), -EADDRNOTAVAIL);
        int tcp_fd = listen_on(&tcp, 0), named_fd = listen_on(&named, 0);
        assert_int_equal(listener_try(&tcp, &defaults), -EADDRINUSE);
        assert_int_equal(listener_try(&named, &defaults), -EADDRINUSE);
        close(tcp_fd);
        close(named_fd);
        in_child(try_as_nobody);
}

static int fail_as_nobody(void)
{
        struct address address = path_address();
        struct listener_options options = defaults;
        struct listener listener = {.fd = 4711};
        int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);

        close(lowest);
        if (geteuid() == 0 && (chmod(directory, 0777) < 0 || setresuid(65534, 65534, 65534) < 0))
                return 1;
        options.socket_uid = 0; /* only root can change the owner of a file */
        if (listener_open(&address, &options, &listener) != -EPERM || listener.fd != 4711)
                return 2;
        return access(socket_path, F_OK) == -1 && fcntl(lowest, F_GETFD) == -1 ? 0 : 3;
}

/* A failure after the file was made leaves neither the file nor a descriptor. */
static void test_failure_leaves_nothing(void **state)
{
        (void)state;
        in_child(fail_as_nobody);
}

static void test_only_our_own_file_is_unlinked(void **state)
{
        struct address address = path_address();
        struct listener first = open_listener(&address, &defaults);
        struct stat status;

        (void)state;
        unlink(socket_path); /* another process removes the path and takes it */
        struct listener second = open_listener(&address, &defaults);
        listener_close(&first);
        assert_int_equal(lstat(socket_path, &status), 0);
        assert_true(reaches(&address, &second));
        listener_close(&second);
        assert_int_equal(access(socket_path, F_OK), -1);

        first = open_listener(&address, &defaults);
        unlink(socket_path);
        listener_close(&first); /* gone already */
}

/* --- backlog and queue -------------------------------------------------------------------------------------------- */

static unsigned somaxconn(void)
{
        uint64_t value = 0;

        kernel_setting_read("/proc/sys/net/core/somaxconn", &value);
        return (unsigned)value;
}

static void backlog_is_cut(struct address address)
{
        struct listener_options options = defaults;

        options.backlog = 7;
        struct listener listener = open_listener(&address, &options);
        assert_int_equal(listener.effective_backlog, 7);
        if (somaxconn() > 0) {
                options.backlog = somaxconn() + 1000;
                assert_int_equal(listener_adjust(&listener, &options), 0);
                assert_int_equal(listener.effective_backlog, somaxconn());
        }
        listener_close(&listener);
}

static void test_effective_backlog(void **state)
{
        (void)state;
        backlog_is_cut(unique_address(AF_INET));
        backlog_is_cut(unique_address(AF_UNIX));
        backlog_is_cut(path_address());
}

static void queue_is_counted(struct address address)
{
        struct listener listener = open_listener(&address, &defaults);
        int clients[5];

        assert_int_equal(queue_length(&listener), 0);
        for (unsigned i = 0; i < 5; i++) {
                clients[i] = connect_to(&address, CLIENT_MS);
                assert_true(clients[i] >= 0);
                assert_int_equal(queue_length(&listener), i + 1);
        }
        for (unsigned i = 0; i < 5; i++) {
                close(accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC));
                assert_int_equal(queue_length(&listener), 4 - i);
        }
        for (unsigned i = 0; i < 5; i++)
                close(clients[i]);
        listener_close(&listener);
}

static void test_queue_length(void **state)
{
        (void)state;
        queue_is_counted(unique_address(AF_INET));
        queue_is_counted(unique_address(AF_UNIX));
        queue_is_counted(path_address());
}

static void test_queue_of_no_listener(void **state)
{
        struct listener listener = {.fd = -1, .address = unique_address(AF_INET)};
        uint32_t length = 4711;

        (void)state;
        assert_int_equal(listener_queue_length(&listener, &length), -EBADF);
        listener.address = unique_address(AF_UNIX);
        assert_int_equal(listener_queue_length(&listener, &length), -EBADF);
        listener.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_true(listener_queue_length(&listener, &length) < 0);
        assert_int_equal(length, 4711);
        close(listener.fd);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static void test_options(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener_options options = defaults;

        (void)state;
        options.tcp_nodelay = options.tcp_keepalive = options.defer_accept = options.nonblocking = true;
        struct listener listener = open_listener(&address, &options);
        assert_int_equal(get_option(listener.fd, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(get_option(listener.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_true(get_option(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) > 0);
        assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);

        options = defaults;
        options.backlog = 11;
        assert_int_equal(listener_adjust(&listener, &options), 0);
        assert_int_equal(get_option(listener.fd, IPPROTO_TCP, TCP_NODELAY), 0);
        assert_int_equal(get_option(listener.fd, SOL_SOCKET, SO_KEEPALIVE), 0);
        assert_int_equal(get_option(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
        assert_int_equal(listener.effective_backlog, 11);
        assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK); /* older workers may rely on it */
        listener_close(&listener);
}

static void test_adjust_a_path(void **state)
{
        struct address address = path_address();
        struct listener listener = open_listener(&address, &defaults);
        struct listener_options options = defaults;
        struct stat status;

        (void)state;
        options.socket_mode = 0600;
        options.nonblocking = true;
        options.socket_gid = getegid();
        assert_int_equal(listener_adjust(&listener, &options), 0);
        assert_int_equal(lstat(socket_path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
        int client = connect_to(&address, CLIENT_MS); /* the waiting connection is not lost */
        assert_int_equal(listener_adjust(&listener, &options), 0);
        assert_int_equal(queue_length(&listener), 1);
        close(client);
        listener_close(&listener);
}

/* Only our own file is changed, and never a file or a link that has replaced it. */
static void test_adjust_leaves_other_files_alone(void **state)
{
        struct address address = path_address();
        struct listener listener = open_listener(&address, &defaults);
        struct listener_options options = defaults;
        char target[80];
        struct stat status;

        (void)state;
        snprintf(target, sizeof(target), "%s/target", directory);
        int file = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(file >= 0);
        close(file);
        unlink(socket_path);
        options.socket_mode = 0666;
        assert_int_equal(listener_adjust(&listener, &options), -ENOENT);
        assert_int_equal(symlink(target, socket_path), 0);
        assert_int_equal(listener_adjust(&listener, &options), -ENOENT);
        assert_int_equal(stat(target, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        unlink(socket_path);
        unlink(target);
        listener_close(&listener);
}

/* --- draining ----------------------------------------------------------------------------------------------------- */

/* A client that connects without waiting. */
static int begin_connecting(const struct address *address)
{
        int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, &address->any, address->length), -1);
        assert_int_equal(errno, EINPROGRESS);
        return fd;
}

static bool is_connected(int fd, int timeout_ms)
{
        struct pollfd poller = {.fd = fd, .events = POLLOUT};
        int n = poll(&poller, 1, timeout_ms);

        return n == 1 && (poller.revents & (POLLOUT | POLLERR | POLLHUP)) == POLLOUT;
}

static bool has_failed(int fd)
{
        struct pollfd poller = {.fd = fd};

        return poll(&poller, 1, 0) == 1;
}

static void serve_one(const struct listener *listener, int client)
{
        int connection = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

        assert_true(connection >= 0);
        assert_int_equal(send(client, "q", 1, MSG_NOSIGNAL), 1);
        assert_true(answer_one(connection));
        char byte;
        assert_int_equal(recv(client, &byte, 1, 0), 1);
        close(client);
}

/* Newer kernels require CAP_NET_ADMIN for a socket filter. */
static bool can_filter(void)
{
        static struct sock_filter pass_all[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
        static const struct sock_fprog program = {.len = 1, .filter = pass_all};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool allowed = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;

        close(fd);
        return allowed;
}

static void test_drain_tcp(void **state)
{
        (void)state;
        if (!can_filter()) {
                print_message("# skip: needs the right to attach a socket filter\n");
                skip();
        }
        struct address address = unique_address(AF_INET);
        struct listener listener = open_listener(&address, &defaults);
        int queued[2] = {connect_to(&address, CLIENT_MS), connect_to(&address, CLIENT_MS)};

        assert_int_equal(listener_drain(&listener, false), 0);
        int late = begin_connecting(&address);
        assert_false(listener_is_drained(&listener));
        for (unsigned i = 0; i < 2; i++) {
                assert_false(listener_is_drained(&listener));
                assert_int_equal(queue_length(&listener), 2 - i);
                serve_one(&listener, queued[i]);
        }
        assert_true(listener_is_drained(&listener));
        assert_false(is_connected(late, 100)); /* it waits and is not reset */
        assert_false(has_failed(late));

        assert_int_equal(listener_undrain(&listener), 0);
        assert_true(is_connected(late, CLIENT_MS)); /* by its next SYN */
        fcntl(late, F_SETFL, 0);
        serve_one(&listener, late);
        assert_int_equal(listener_undrain(&listener), 0); /* nothing to undo */
        listener_close(&listener);
}

static int drain_by_filter(struct listener *listener)
{
        return listener_drain(listener, false);
}

/* As listener_drain() if the kernel refuses the filter. */
static int drain_by_decoy(struct listener *listener)
{
        listener->decoy_fd = tcp_barrier_decoy(listener->fd);
        listener->filtered = listener->decoy_fd >= 0;
        return MIN_OF(listener->decoy_fd, 0);
}

static void set_min_ttl(int fd, int family, int value)
{
        int r = family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_MINTTL, &value, sizeof(value))
                                  : setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &value, sizeof(value));

        assert_int_equal(r, 0);
}

/* The kernel will accept a handshake that is under way when draining begins, so draining waits for it and it is
 * served. */
static void half_open_is_waited_for(const struct address *listen, const struct address *connect_address,
                                    int (*drain)(struct listener *listener))
{
        struct listener listener = open_listener(listen, &defaults);
        uint64_t end_ms = test_now_ms() + CLIENT_MS;
        uint32_t half_open = 0;
        int client = socket(connect_address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        set_min_ttl(client, connect_address->any.sa_family, 255); /* the client drops the answer to its SYN */
        assert_int_equal(connect(client, &connect_address->any, connect_address->length), -1);
        while (half_open == 0 && test_now_ms() < end_ms)
                assert_int_equal(sock_diag_half_open(listen->any.sa_family, address_port(listen), &half_open), 0);
        assert_int_equal(half_open, 1);
        assert_int_equal(sock_diag_half_open(listen->any.sa_family, address_port(listen) + 1, &half_open), 0);
        assert_int_equal(half_open, 0);
        assert_int_equal(drain(&listener), 0);
        assert_int_equal(queue_length(&listener), 0);
        assert_false(listener_is_drained(&listener));
        set_min_ttl(client, connect_address->any.sa_family, 0);
        assert_true(is_connected(client, CLIENT_MS)); /* by the kernel's next SYN-ACK */
        while (queue_length(&listener) == 0 && test_now_ms() < end_ms)
                sched_yield();
        assert_false(listener_is_drained(&listener));
        fcntl(client, F_SETFL, 0);
        fcntl(listener.fd, F_SETFL, fcntl(listener.fd, F_GETFL) & ~O_NONBLOCK);
        serve_one(&listener, client);
        assert_true(listener_is_drained(&listener));
        listener_close(&listener);
}

static void test_drain_waits_for_handshakes(void **state)
{
        struct address address = unique_address(AF_INET);

        (void)state;
        if (can_filter())
                half_open_is_waited_for(&address, &address, drain_by_filter);
        half_open_is_waited_for(&address, &address, drain_by_decoy);
}

/* IPv4 handshakes are listed as such, also towards a dual-stack listener. */
static void test_drain_waits_for_handshakes_dual_stack(void **state)
{
        char text[32];
        unsigned port;

        (void)state;
        if (!has_ipv6())
                skip();
        struct listener probe = open_on_free_port("*", &defaults, &port);
        listener_close(&probe);
        snprintf(text, sizeof(text), "*:%u", port);
        struct address listen = address_of(text);
        snprintf(text, sizeof(text), "127.0.0.1:%u", port);
        struct address client = address_of(text);
        if (can_filter())
                half_open_is_waited_for(&listen, &client, drain_by_filter);
        half_open_is_waited_for(&listen, &client, drain_by_decoy);
}

/* Clients that connect one after the other. */
static void serve_in_any_order(const struct listener *listener, const int *clients, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                assert_true(is_connected(clients[i], CLIENT_MS));
                fcntl(clients[i], F_SETFL, 0);
                assert_int_equal(send(clients[i], "q", 1, MSG_NOSIGNAL), 1);
        }
        fcntl(listener->fd, F_SETFL, fcntl(listener->fd, F_GETFL) & ~O_NONBLOCK);
        for (size_t i = 0; i < count; i++)
                assert_true(answer_one(accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC)));
        for (size_t i = 0; i < count; i++) {
                char byte;
                assert_int_equal(recv(clients[i], &byte, 1, 0), 1);
                close(clients[i]);
        }
}

/* While it drains, new clients wait and accepted connections are served; after listener_undrain() all clients get
 * through. */
static void keeps_away(const struct address *listen, const struct address *connect_address,
                       const struct listener_options *options)
{
        struct listener listener = open_listener(listen, options);
        int queued[2] = {connect_to(connect_address, CLIENT_MS), connect_to(connect_address, CLIENT_MS)};

        for (unsigned round = 0; round < 2; round++) {
                int late[8];
                assert_int_equal(drain_by_decoy(&listener), 0);
                assert_int_equal(fcntl(listener.decoy_fd, F_GETFD), FD_CLOEXEC);
                for (unsigned i = 0; i < ELEMENTS(late); i++)
                        late[i] = begin_connecting(connect_address);
                for (unsigned i = 0; round == 0 && i < ELEMENTS(queued); i++) {
                        assert_false(listener_is_drained(&listener));
                        serve_one(&listener, queued[i]);
                }
                assert_true(listener_is_drained(&listener));
                poll(NULL, 0, 50);
                for (unsigned i = 0; i < ELEMENTS(late); i++) { /* they wait and are not reset */
                        assert_false(is_connected(late[i], 0));
                        assert_false(has_failed(late[i]));
                }
                assert_int_equal(listener_undrain(&listener), 0);
                assert_int_equal(listener.decoy_fd, -1);
                assert_int_equal(get_option(listener.fd, SOL_SOCKET, SO_REUSEPORT), 0);
                serve_in_any_order(&listener, late, ELEMENTS(late));
        }
        listener_close(&listener);
}

static void test_decoy(void **state)
{
        struct address address = unique_address(AF_INET);

        (void)state;
        keeps_away(&address, &address, &defaults);
}

static void test_decoy_tcp6(void **state)
{
        static const char *const hosts[] = {"[::1]", "127.0.0.1"};
        char text[32];
        unsigned port;

        (void)state;
        if (!has_ipv6()) {
                print_message("# skip: needs IPv6\n");
                skip();
        }
        for (size_t i = 0; i < ELEMENTS(hosts); i++) {
                struct listener probe = open_on_free_port("*", &defaults, &port);
                listener_close(&probe);
                snprintf(text, sizeof(text), "*:%u", port);
                struct address listen = address_of(text);
                snprintf(text, sizeof(text), "%s:%u", hosts[i], port);
                struct address client = address_of(text);
                keeps_away(&listen, &client, &defaults);
        }
}

static void test_decoy_on_a_device(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener_options options = defaults;

        (void)state;
        options.device = "lo";
        keeps_away(&address, &address, &options);
}

/* The decoy would not drop a SYN with TTL 255, so the program must send it to the listener, which serves it. */
static void test_decoy_is_passed_by(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener listener = open_listener(&address, &defaults);
        int ttl = 255;

        (void)state;
        assert_int_equal(drain_by_decoy(&listener), 0);
        for (unsigned i = 0; i < 8; i++) {
                int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(setsockopt(client, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
                assert_int_equal(connect(client, &address.any, address.length), 0);
                serve_one(&listener, client);
        }
        listener_close(&listener);
}

/* Closing refuses clients at once, also those whose SYN the decoy has dropped. */
static void test_decoy_goes_with_its_listener(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener listener = open_listener(&address, &defaults);

        (void)state;
        assert_int_equal(drain_by_decoy(&listener), 0);
        int held = fcntl(listener.fd, F_DUPFD_CLOEXEC, 0);
        listener_close(&listener);
        assert_int_equal(connect_to(&address, CLIENT_MS), -ECONNREFUSED);
        struct listener next = open_listener(&address, &defaults);
        assert_true(reaches(&address, &next));
        listener_close(&next);
        close(held);
}

/* A child that was forked while the decoy stood has it, too, until it gets round to closing what is not its own. That
 * must not keep the port, nor clients away. */
static void test_decoy_goes_although_a_child_has_it(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener listener = open_listener(&address, &defaults);

        (void)state;
        for (unsigned round = 0; round < 2; round++) {
                assert_int_equal(drain_by_decoy(&listener), 0);
                int held = fcntl(listener.decoy_fd, F_DUPFD_CLOEXEC, 0);
                assert_int_equal(listener_undrain(&listener), 0);
                assert_true(reaches(&address, &listener));
                close(held);
        }
        assert_int_equal(drain_by_decoy(&listener), 0);
        int held = fcntl(listener.decoy_fd, F_DUPFD_CLOEXEC, 0);
        listener_close(&listener);
        assert_int_equal(connect_to(&address, CLIENT_MS), -ECONNREFUSED);
        struct listener next = open_listener(&address, &defaults);
        assert_true(reaches(&address, &next));
        listener_close(&next);
        close(held);
}

/* If the decoy cannot be opened the listener has not changed. */
static void test_no_decoy(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener listener = open_listener(&address, &defaults);
        struct rlimit before, none;

        (void)state;
        getrlimit(RLIMIT_NOFILE, &before);
        none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
        setrlimit(RLIMIT_NOFILE, &none);
        int r = tcp_barrier_decoy(listener.fd);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_int_equal(r, -EMFILE);
        assert_int_equal(get_option(listener.fd, SOL_SOCKET, SO_REUSEPORT), 0);
        assert_true(reaches(&address, &listener));
        listener_close(&listener);
}

/* A predecessor ended while it drained the listener, and its decoy with it. */
static void test_adopt_undrains(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener adopted, listener = open_listener(&address, &defaults);

        (void)state;
        listener.origin = LISTENER_STORED;
        assert_int_equal(drain_by_decoy(&listener), 0);
        assert_false(listener_stays_open(&listener));
        close(listener.decoy_fd);
        assert_int_equal(listener_adopt(listener.fd, &address, &address, LISTENER_STORED, &defaults, &adopted), 0);
        assert_int_equal(adopted.decoy_fd, -1);
        assert_int_equal(get_option(adopted.fd, SOL_SOCKET, SO_REUSEPORT), 0);
        assert_true(reaches(&address, &adopted));
        adopted.origin = LISTENER_OWN;
        listener_close(&adopted);
}

/* A stored socket of another device would get other clients. */
static void test_adopt_looks_at_the_device(void **state)
{
        struct address address = unique_address(AF_INET);
        struct listener_options on_device = defaults;
        struct listener adopted;

        (void)state;
        on_device.device = "lo";
        struct listener listener = open_listener(&address, &on_device);
        assert_int_equal(listener_adopt(listener.fd, &address, &address, LISTENER_STORED, &defaults, &adopted),
                         -ESTALE);
        assert_int_equal(listener_adopt(listener.fd, &address, &address, LISTENER_STORED, &on_device, &adopted), 0);
        listener_close(&listener);
        listener = open_listener(&address, &defaults);
        assert_int_equal(listener_adopt(listener.fd, &address, &address, LISTENER_STORED, &on_device, &adopted),
                         -ESTALE);
        assert_int_equal(listener_adopt(listener.fd, &address, &address, LISTENER_STORED, &defaults, &adopted), 0);
        listener_close(&listener);
}

static void drain_unix(struct address address)
{
        struct listener listener = open_listener(&address, &defaults);
        int queued[2] = {connect_to(&address, CLIENT_MS), connect_to(&address, CLIENT_MS)};
        bool is_path = address.un.sun_path[0] != '\0';

        assert_int_equal(listener_drain(&listener, false), 0);
        assert_int_equal(connect_to(&address, CLIENT_MS), is_path ? -ENOENT : -ECONNREFUSED);
        for (unsigned i = 0; i < 2; i++) {
                assert_false(listener_is_drained(&listener));
                assert_int_equal(queue_length(&listener), 2 - i);
                serve_one(&listener, queued[i]);
        }
        assert_true(listener_is_drained(&listener));
        assert_int_equal(accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC), -1);
        assert_true(errno == EINVAL || errno == EAGAIN); /* EAGAIN if it is non-blocking */
        assert_int_equal(listener_undrain(&listener), -EOPNOTSUPP);
        listener_close(&listener);
}

static void test_drain_unix(void **state)
{
        (void)state;
        drain_unix(path_address());
        drain_unix(unique_address(AF_UNIX));
}

/* The path is free for another one while the old one drains; closing the old one leaves it alone. */
static void test_drained_path_is_free(void **state)
{
        struct address address = path_address();
        struct listener old = open_listener(&address, &defaults);

        (void)state;
        assert_int_equal(listener_drain(&old, false), 0);
        struct listener new = open_listener(&address, &defaults);
        listener_close(&old);
        assert_true(reaches(&address, &new));
        listener_close(&new);
}

/* A busy worker still holds the descriptor: no client waits in its queue, and the address is free. */
static void close_for_everybody(struct address address)
{
        struct listener next, listener = open_listener(&address, &defaults);
        int held = fcntl(listener.fd, F_DUPFD_CLOEXEC, 0);

        int r = listener_drain(&listener, false);
        assert_true(r == 0 || r == -EPERM);
        listener_close(&listener);
        assert_int_equal(accept4(held, NULL, NULL, SOCK_CLOEXEC), -1);
        if (address.any.sa_family == AF_INET || address.un.sun_path[0] != '\0') {
                next = open_listener(&address, &defaults);
                assert_true(reaches(&address, &next));
                listener_close(&next);
        }
        close(held);
}

static void test_close_for_everybody(void **state)
{
        (void)state;
        close_for_everybody(unique_address(AF_INET));
        close_for_everybody(path_address());
        close_for_everybody(unique_address(AF_UNIX));
}

static int setup(void **state)
{
        (void)state;
        if (!mkdtemp(directory))
                return -1;
        snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        unlink(socket_path);
        return rmdir(directory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tcp4),
                cmocka_unit_test(test_no_such_address),
                cmocka_unit_test(test_trying),
                cmocka_unit_test(test_tcp6),
                cmocka_unit_test(test_dual_stack),
                cmocka_unit_test(test_ipv6_only),
                cmocka_unit_test(test_free_bind),
                cmocka_unit_test(test_abstract),
                cmocka_unit_test(test_path),
                cmocka_unit_test(test_path_owner),
                cmocka_unit_test(test_stale_path_is_taken_over),
                cmocka_unit_test(test_live_path_is_not),
                cmocka_unit_test(test_full_path_is_not),
                cmocka_unit_test(test_datagram_path_is_not),
                cmocka_unit_test(test_other_files_are_left_alone),
                cmocka_unit_test(test_path_without_directory),
                cmocka_unit_test(test_failure_leaves_nothing),
                cmocka_unit_test(test_only_our_own_file_is_unlinked),
                cmocka_unit_test(test_effective_backlog),
                cmocka_unit_test(test_queue_length),
                cmocka_unit_test(test_queue_of_no_listener),
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_adjust_a_path),
                cmocka_unit_test(test_adjust_leaves_other_files_alone),
                cmocka_unit_test(test_drain_tcp),
                cmocka_unit_test(test_drain_waits_for_handshakes),
                cmocka_unit_test(test_drain_waits_for_handshakes_dual_stack),
                cmocka_unit_test(test_decoy),
                cmocka_unit_test(test_decoy_tcp6),
                cmocka_unit_test(test_decoy_on_a_device),
                cmocka_unit_test(test_adopt_looks_at_the_device),
                cmocka_unit_test(test_decoy_is_passed_by),
                cmocka_unit_test(test_decoy_goes_with_its_listener),
                cmocka_unit_test(test_decoy_goes_although_a_child_has_it),
                cmocka_unit_test(test_no_decoy),
                cmocka_unit_test(test_adopt_undrains),
                cmocka_unit_test(test_drain_unix),
                cmocka_unit_test(test_drained_path_is_free),
                cmocka_unit_test(test_close_for_everybody),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
