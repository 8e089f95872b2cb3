/* The file of a UNIX socket in a directory whose owner is hostile. The attacks come at the worst moment: directly after
 * the system call that they race with. */
#include <ftw.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "os/net/listener.h"
#include "unit/socket_helpers.h"

#define NOBODY 65534

static char top[] = "/tmp/preforkd-test-XXXXXX";
static char directory[64], socket_path[80], secret[64], elsewhere[64];

static const struct listener_options options = {
        .backlog = 8, .socket_uid = NOBODY, .socket_gid = NOBODY, .socket_mode = 0666};

/* What the attacker does before the next bind(2), and after it or after connect(2); each once. */
static void (*before_bind)(void);
static void (*after_call)(void);

static void attack(void (**attack_once)(void))
{
        void (*function)(void) = TAKE_PTR(*attack_once);

        if (function)
                function();
}

/* These take the places of libc's functions. */

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
        attack(&before_bind);
        int r = (int)syscall(SYS_bind, fd, address, length);
        if (r == 0)
                attack(&after_call);
        return r;
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
        int r = (int)syscall(SYS_connect, fd, address, length), saved_errno = errno;

        if (address->sa_family == AF_UNIX)
                attack(&after_call);
        errno = saved_errno;
        return r;
}

static struct address address_of(const char *text)
{
        struct address address;

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static struct stat status_of(const char *path)
{
        struct stat status;

        assert_int_equal(lstat(path, &status), 0);
        return status;
}

static void assert_untouched(const char *path, mode_t type)
{
        struct stat status = status_of(path);

        assert_int_equal(status.st_mode, type | 0600);
        assert_int_equal(status.st_uid, geteuid());
}

/* A file of ours that nobody else may touch. */
static void make_secret(void)
{
        int fd = open(secret, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        close(fd);
}

static void make_socket_file(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        assert_int_equal(syscall(SYS_bind, fd, &address, sizeof(address)), 0);
        close(fd);
}

static void put_link(void)
{
        assert_int_equal(unlink(socket_path), 0);
        assert_int_equal(symlink(secret, socket_path), 0);
}

static void put_socket(void)
{
        assert_int_equal(unlink(socket_path), 0);
        assert_int_equal(link(secret, socket_path), 0);
}

static void exchange_directory(void)
{
        assert_int_equal(rename(directory, elsewhere), 0);
        assert_int_equal(symlink(top, directory), 0);
}

static int open_listener(struct listener *ret)
{
        struct address address = address_of(socket_path);

        return listener_open(&address, &options, ret);
}

static void test_link_in_its_place(void **state)
{
        struct listener listener;

        (void)state;
        make_secret();
        after_call = put_link;
        assert_int_equal(open_listener(&listener), -ESTALE);
        assert_untouched(secret, S_IFREG);
        assert_true(S_ISLNK(status_of(socket_path).st_mode));
}

static void test_another_socket_in_its_place(void **state)
{
        struct listener listener;

        (void)state;
        make_socket_file(secret);
        assert_int_equal(chmod(secret, 0600), 0);
        after_call = put_socket;
        assert_int_equal(open_listener(&listener), -ESTALE);
        assert_untouched(secret, S_IFSOCK);
        assert_true(S_ISSOCK(status_of(socket_path).st_mode));
}

static void test_exchanged_directory(void **state)
{
        struct listener listener;
        char stray[80];

        (void)state;
        before_bind = exchange_directory;
        assert_int_equal(open_listener(&listener), -ESTALE);
        snprintf(stray, sizeof(stray), "%s/socket", top);
        assert_int_equal(access(stray, F_OK), -1);
}

static int listening = -1;

static void start_listening(void)
{
        struct address address = address_of(socket_path);

        assert_int_equal(unlink(socket_path), 0);
        listening = listen_on(&address, 0);
}

/* While we look at a file that is left over, another process begins to listen. */
static void test_no_longer_stale(void **state)
{
        struct address address = address_of(socket_path);
        struct listener listener;

        (void)state;
        make_socket_file(socket_path);
        after_call = start_listening;
        assert_int_equal(open_listener(&listener), -EADDRINUSE);
        int client = connect_to(&address, 1000);
        assert_true(client >= 0);
        close(client);
        close(listening);
}

static void test_stale_link_is_not_followed(void **state)
{
        struct listener listener;

        (void)state;
        make_socket_file(secret);
        assert_int_equal(symlink(secret, socket_path), 0);
        assert_int_equal(open_listener(&listener), -ENOTSOCK);
        assert_true(S_ISSOCK(status_of(secret).st_mode));
}

static void test_adjusting_and_closing(void **state)
{
        struct listener listener;

        (void)state;
        make_secret();
        assert_int_equal(open_listener(&listener), 0);
        assert_int_equal(status_of(socket_path).st_uid, NOBODY);
        assert_int_equal(status_of(socket_path).st_mode, S_IFSOCK | 0666);
        assert_int_equal(listener_adjust(&listener, &options), 0);
        put_link();
        assert_int_equal(listener_adjust(&listener, &options), -ENOENT);
        listener_close(&listener);
        assert_true(S_ISLNK(status_of(socket_path).st_mode));
        assert_untouched(secret, S_IFREG);
}

/* A link of user `uid` from `directory` to `elsewhere`, which belongs to `owner`. */
static int open_through_link(uid_t uid, uid_t owner)
{
        struct address address;
        struct listener listener;
        char path[80], target[80];

        snprintf(path, sizeof(path), "%s/link/socket", directory);
        snprintf(target, sizeof(target), "%s/link", directory);
        address = address_of(path);
        if (mkdir(elsewhere, 0755) < 0 && errno != EEXIST)
                return -errno;
        unlink(target);
        assert_int_equal(chown(elsewhere, owner, owner), 0);
        assert_int_equal(symlink("../elsewhere", target), 0);
        assert_int_equal(lchown(target, uid, uid), 0);
        int r = listener_open(&address, &options, &listener);
        if (r == 0)
                listener_close(&listener);
        assert_int_equal(listener_try(&address, &options), r);
        return r;
}

static void test_links_on_the_way(void **state)
{
        (void)state;
        assert_int_equal(open_through_link(0, 0), 0);
        assert_int_equal(open_through_link(0, NOBODY), 0);
        assert_int_equal(open_through_link(NOBODY, NOBODY), 0);
        assert_int_equal(open_through_link(NOBODY, 0), -ELOOP);
        assert_int_equal(open_through_link(NOBODY, 1), -ELOOP);
}

static int set_up(void **state)
{
        (void)state;
        snprintf(top, sizeof(top), "/tmp/preforkd-test-XXXXXX");
        assert_non_null(mkdtemp(top));
        snprintf(directory, sizeof(directory), "%s/directory", top);
        snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
        snprintf(secret, sizeof(secret), "%s/secret", top);
        snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", top);
        assert_int_equal(mkdir(directory, 0755), 0);
        return chown(directory, NOBODY, NOBODY);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
        (void)status, (void)kind, (void)at;
        return remove(path);
}

static int tear_down(void **state)
{
        (void)state;
        before_bind = after_call = NULL;
        return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_without_root(void **state)
{
        (void)state;
        print_message("# skip: needs root\n");
        skip();
}

#define AS_ROOT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                AS_ROOT(test_link_in_its_place),          AS_ROOT(test_another_socket_in_its_place),
                AS_ROOT(test_exchanged_directory),        AS_ROOT(test_no_longer_stale),
                AS_ROOT(test_stale_link_is_not_followed), AS_ROOT(test_adjusting_and_closing),
                AS_ROOT(test_links_on_the_way),
        };

        const struct CMUnitTest without_root[] = {cmocka_unit_test(test_without_root)};

        return geteuid() == 0 ? cmocka_run_group_tests(tests, NULL, NULL)
                              : cmocka_run_group_tests(without_root, NULL, NULL);
}
