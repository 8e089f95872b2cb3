#include <fcntl.h>

#include "base/cleanup.h"
#include "os/net/sock_diag.h"
#include "os/net/unix_queue.h"
#include "unit/filter_helpers.h"
#include "unit/socket_helpers.h"

#define CLIENT_MS 10000
#define CLIENTS 5

#define LOAD_FAMILY BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]))

/* Opening a netlink socket fails from here on, and opening a file as well if `error` is not 0. */
static int forbid_netlink(int error)
{
        struct sock_filter program[] = {
                LOAD_NUMBER,
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, error != 0 ? SECCOMP_RET_ERRNO | (unsigned)error : SECCOMP_RET_ALLOW),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
                LOAD_FAMILY,
                FAIL(AF_NETLINK, EAFNOSUPPORT),
                ALLOW,
        };

        return forbid(program, ELEMENTS(program));
}

static uint32_t length_of(int fd, const struct address *address)
{
        uint32_t length = UINT32_MAX;

        return unix_queue_length(fd, address, &length) == 0 ? length : UINT32_MAX;
}

/* What a queue should show: all who wait, or only that there are some. */
static uint32_t shown(uint32_t waiting, bool is_exact)
{
        return is_exact ? waiting : MIN_OF(waiting, 1U);
}

/* Clients come, some are accepted, the listener is shut, and the others are accepted. */
static int counts(struct address address, bool is_exact)
{
        int clients[CLIENTS], fd = listen_on(&address, 0);

        if (length_of(fd, &address) != 0)
                return 2;
        for (uint32_t i = 0; i < CLIENTS; i++) {
                clients[i] = connect_to(&address, CLIENT_MS);
                if (length_of(fd, &address) != shown(i + 1, is_exact))
                        return 3;
        }
        int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC); /* and kept open */
        if (length_of(fd, &address) != shown(CLIENTS - 1, is_exact))
                return 4;
        shutdown(fd, SHUT_RD);
        for (uint32_t left = CLIENTS - 1; left > 0; left--) {
                if (length_of(fd, &address) != (is_exact ? left : UINT32_MAX))
                        return 5;
                close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
        }
        if (length_of(fd, &address) != (is_exact ? 0 : UINT32_MAX))
                return 6;
        for (unsigned i = 0; i < CLIENTS; i++)
                close(clients[i]);
        close(accepted);
        close(fd);
        return 0;
}

static int counts_all(bool is_exact)
{
        static char directory[] = "/tmp/preforkd-test-XXXXXX";
        struct address by_path;
        char path[64];

        if (!mkdtemp(directory))
                return 10;
        snprintf(path, sizeof(path), "%s/a socket", directory);
        int r = address_parse(path, &by_path);
        if (r == 0)
                r = counts(by_path, is_exact);
        if (r == 0)
                r = counts(unique_address(AF_UNIX), is_exact);
        unlink(path);
        rmdir(directory);
        return r;
}

static int with_netlink(void *context)
{
        (void)context;
        return counts_all(true);
}

static int without_netlink(void *context)
{
        (void)context;
        return forbid_netlink(0) ? 1 : counts_all(true);
}

static int without_proc(void *context)
{
        (void)context;
        return forbid_netlink(ENOENT) ? 1 : counts_all(false);
}

static void test_with_netlink(void **state)
{
        (void)state;
        assert_int_equal(child_wait(child_start(with_netlink, NULL), CLIENT_MS), 0);
}

static void test_without_netlink(void **state)
{
        (void)state;
        assert_int_equal(child_wait(child_start(without_netlink, NULL), CLIENT_MS), 0);
        assert_int_equal(child_wait(child_start(without_proc, NULL), CLIENT_MS), 0);
}

static int no_listener(void *context)
{
        struct address address = unique_address(AF_UNIX);
        uint32_t length = 4711;
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        int unheard = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)context;
        if (forbid_netlink(0) || unix_queue_length(-1, &address, &length) != -EBADF ||
            unix_queue_length(null_fd, &address, &length) != -ENOTSOCK ||
            unix_queue_length(unheard, &address, &length) != -EINVAL)
                return 1;
        return length == 4711 ? 0 : 2;
}

static void test_no_listener(void **state)
{
        (void)state;
        assert_int_equal(child_wait(child_start(no_listener, NULL), CLIENT_MS), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_with_netlink),
                cmocka_unit_test(test_without_netlink),
                cmocka_unit_test(test_no_listener),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
