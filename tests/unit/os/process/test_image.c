#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "os/process/image.h"
#include "unit/child_helpers.h"

static char own_path[4096];

/* argv[0] is used if it names this program. */
static void test_find(void **state)
{
        _cleanup_(freep) char *directory = NULL, *found = NULL;
        char link[] = "/tmp/preforkd-test-image-XXXXXX", name[8192];

        (void)state;
        if (under_valgrind()) /* which answers for readlink(2) of /proc/self/exe, but not for stat(2) */
                skip();
        directory = getcwd(NULL, 0);
        assert_int_equal(image_find("no such name", &found), 0);
        assert_string_equal(found, own_path);
        freep(&found);
        assert_int_equal(image_find("/bin/sh", &found), 0);
        assert_string_equal(found, own_path);
        freep(&found);
        assert_non_null(mkdtemp(link));
        snprintf(name, sizeof(name), "%s/name", link);
        assert_int_equal(symlink(own_path, name), 0);
        assert_int_equal(image_find(name, &found), 0); /* a link that leads to us is kept */
        assert_string_equal(found, name);
        freep(&found);
        assert_int_equal(setenv("PATH", link, 1), 0);
        assert_int_equal(image_find("name", &found), 0);
        assert_string_equal(found, name);
        freep(&found);
        assert_int_equal(chdir(link), 0);
        assert_int_equal(image_find("./name", &found), 0);
        assert_int_equal(found[0], '/');
        assert_int_equal(access(found, X_OK), 0);
        assert_int_equal(chdir(directory), 0);
        unlink(name);
        rmdir(link);
}

static void test_look(void **state)
{
        char path[] = "/tmp/preforkd-test-image-XXXXXX";
        _cleanup_(fd_closep) int fd = mkstemp(path);
        struct image_file before, after;

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(image_look(path, &before), -EACCES);
        assert_int_equal(fchmod(fd, 0755), 0);
        assert_int_equal(image_look(path, &before), 0);
        assert_int_equal(image_look(path, &after), 0);
        assert_true(image_is_same(&before, &after));
        assert_int_equal(write(fd, "x", 1), 1);
        assert_int_equal(image_look(path, &after), 0);
        assert_false(image_is_same(&before, &after));
        assert_int_equal(unlink(path), 0);
        assert_int_equal(image_look(path, &after), -ENOENT);
        assert_int_equal(image_look("/", &after), -EACCES);
}

/* After a failure everything is as before. */
static void test_execute_fails(void **state)
{
        char *const arguments[] = {(char *)(uintptr_t) "nobody", NULL};
        _cleanup_(fd_closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        (void)state;
        assert_int_equal(image_execute("/no/such/program", arguments, &fd, 1), -ENOENT);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(image_execute("/", arguments, &fd, 1), -EACCES);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_look),
                cmocka_unit_test(test_execute_fails),
        };
        ssize_t length = readlink("/proc/self/exe", own_path, sizeof(own_path) - 1);

        if (length < 0)
                return 1;
        own_path[length] = '\0';
        return cmocka_run_group_tests(tests, NULL, NULL);
}
