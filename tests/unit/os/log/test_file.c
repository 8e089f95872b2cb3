#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/log/file.h"

static char directory[] = "/tmp/preforkd-test-XXXXXX";
static char path[64], other[64];

static int setup(void **state)
{
        (void)state;
        if (!mkdtemp(directory))
                return -1;
        snprintf(path, sizeof(path), "%s/log", directory);
        snprintf(other, sizeof(other), "%s/other", directory);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        return rmdir(directory);
}

static void remove_all(void)
{
        if (unlink(path) < 0)
                rmdir(path);
        unlink(other);
}

/* Both functions say the same about what is there; nothing is made of it. */
static void check_refused(int expected, const char *expected_why)
{
        _cleanup_(text_clear) struct text why = {0}, tried = {0};
        int fd = -1;

        assert_int_equal(log_file_try(path, &tried), expected);
        assert_string_equal(text_string(&tried), expected_why);
        assert_int_equal(log_file_open(path, &fd, &why), expected);
        assert_string_equal(text_string(&why), expected_why);
        assert_int_equal(fd, -1);
        remove_all();
}

static void test_what_is_no_file(void **state)
{
        (void)state;
        assert_int_equal(symlink(other, path), 0);
        check_refused(-ELOOP, "it is a symbolic link");
        assert_int_equal(access(other, F_OK), -1); /* not made at the other end of it */
        assert_int_equal(mkfifo(path, 0600), 0);
        check_refused(-EINVAL, "it is not a regular file");
        assert_int_equal(mkdir(path, 0700), 0);
        check_refused(-EISDIR, "it is a directory");
        close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        assert_int_equal(link(other, path), 0);
        check_refused(-EMLINK, "it has 2 names (hard links)");
}

/* A FIFO with a reader can be opened, and must not be. */
static void test_a_fifo_that_is_read(void **state)
{
        (void)state;
        assert_int_equal(mkfifo(path, 0600), 0);
        _cleanup_(fd_closep) int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(reader >= 0);
        check_refused(-EINVAL, "it is not a regular file");
}

static void test_made_and_appended_to(void **state)
{
        _cleanup_(text_clear) struct text why = {0};
        struct stat status;
        mode_t before = umask(0);
        int fd, again;

        (void)state;
        assert_int_equal(log_file_try(path, &why), 0);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(log_file_open(path, &fd, &why), 0);
        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(status.st_mode, S_IFREG | 0640);
        assert_int_equal(umask(before), 0);
        assert_int_equal(write(fd, "one\n", 4), 4);
        assert_int_equal(log_file_try(path, &why), 0);
        assert_int_equal(log_file_open(path, &again, &why), 0);
        assert_int_equal(write(again, "two\n", 4), 4);
        assert_int_equal(write(fd, "three\n", 6), 6); /* both at the end */
        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(status.st_size, 14);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
        close(again);
        remove_all();
}

static void test_no_directory(void **state)
{
        _cleanup_(text_clear) struct text why = {0}, tried = {0};
        int fd = -1;

        (void)state;
        assert_int_equal(log_file_open("/nonexistent/log", &fd, &why), -ENOENT);
        assert_string_equal(text_string(&why), strerror(ENOENT));
        assert_int_equal(log_file_try("/nonexistent/log", &tried), -ENOENT);
        assert_string_equal(text_string(&tried),
                            "it cannot be made in the directory \"/nonexistent\": No such file or directory");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_no_file),
                cmocka_unit_test(test_a_fifo_that_is_read),
                cmocka_unit_test(test_made_and_appended_to),
                cmocka_unit_test(test_no_directory),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
