#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logger/log_writer.h"

static char directory[] = "/tmp/preforkd-test-XXXXXX";
static char path[64], moved[64];
static char content[4096];

static int setup(void **state)
{
        (void)state;
        signal(SIGXFSZ, SIG_IGN);
        if (!mkdtemp(directory))
                return -1;
        snprintf(path, sizeof(path), "%s/log", directory);
        snprintf(moved, sizeof(moved), "%s/log.1", directory);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        return rmdir(directory);
}

static void write_text(struct log_writer *writer, const char *text)
{
        log_writer_write(writer, text, strlen(text));
}

static const char *read_file(const char *name)
{
        _cleanup_(fd_closep) int fd = open(name, O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, content, sizeof(content) - 1);

        content[n > 0 ? n : 0] = '\0';
        return content;
}

static void end(struct log_writer *writer)
{
        log_writer_close(writer);
        unlink(path);
        unlink(moved);
}

/* Opened by the first line if nobody has said so before. */
static void test_opened_when_needed(void **state)
{
        struct log_writer writer = {.path = path, .fd = -1};

        (void)state;
        log_writer_write(&writer, "", 0);
        assert_int_equal(access(path, F_OK), -1);
        write_text(&writer, "one\ntwo\n");
        assert_string_equal(read_file(path), "one\ntwo\n");
        assert_int_equal(writer.dropped, 0);
        end(&writer);
}

static void test_opened_anew(void **state)
{
        struct log_writer writer = {.path = path, .fd = -1};

        (void)state;
        assert_true(log_writer_open(&writer));
        write_text(&writer, "one\n");
        assert_int_equal(rename(path, moved), 0);
        write_text(&writer, "two\n");
        assert_true(log_writer_open(&writer));
        write_text(&writer, "three\n");
        assert_string_equal(read_file(moved), "one\ntwo\n");
        assert_string_equal(read_file(path), "three\n");
        end(&writer);
}

/* What was open stays open. */
static void test_an_attempt_that_fails(void **state)
{
        struct log_writer writer = {.path = path, .fd = -1};

        (void)state;
        assert_true(log_writer_open(&writer));
        assert_int_equal(rename(path, moved), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_false(log_writer_open(&writer));
        assert_int_equal(writer.open_error, EISDIR);
        assert_string_equal(writer.why, "it is a directory");
        assert_true(log_writer_writes(&writer));
        write_text(&writer, "one\n");
        assert_string_equal(read_file(moved), "one\n");
        assert_int_equal(rmdir(path), 0);
        assert_true(log_writer_open(&writer));
        assert_int_equal(writer.open_error, 0);
        end(&writer);
}

/* Without a file, lines are counted, and it is not tried for each of them. */
static void test_no_file(void **state)
{
        struct log_writer writer = {.path = path, .fd = -1};

        (void)state;
        assert_int_equal(mkdir(path, 0700), 0);
        write_text(&writer, "one\ntwo\n");
        assert_false(log_writer_writes(&writer));
        assert_int_equal(rmdir(path), 0);
        write_text(&writer, "three\n");
        assert_int_equal(writer.dropped, 3);
        assert_int_equal(access(path, F_OK), -1);
        writer.retry_ms = 0; /* a second later */
        write_text(&writer, "four\n");
        assert_string_equal(read_file(path),
                            "preforkd: warning: 3 log records were dropped: the file could not be written\nfour\n");
        assert_int_equal(writer.missing, 0);
        end(&writer);
}

static void limit(rlim_t size)
{
        struct rlimit limits;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limits), 0);
        limits.rlim_cur = size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limits), 0);
}

/* A line for which there was half a room is ended first. */
static void test_a_full_disk(void **state)
{
        struct log_writer writer = {.path = path, .fd = -1};

        (void)state;
        write_text(&writer, "first\n");
        limit(10);
        write_text(&writer, "second\nthird\n");
        assert_int_equal(writer.write_error, EFBIG);
        assert_int_equal(writer.dropped, 2);
        write_text(&writer, "fourth\n");
        assert_int_equal(writer.dropped, 3);
        limit(RLIM_INFINITY);
        writer.retry_ms = 0;
        write_text(&writer, "fifth\n");
        assert_true(log_writer_writes(&writer));
        assert_string_equal(read_file(path),
                            "first\nseco\npreforkd: warning: 3 log records were dropped: the file could not be "
                            "written\nfifth\n");
        end(&writer);
}

/* Not even the report has room: nothing is written out of its order. */
static void test_a_disk_that_stays_full(void **state)
{
        struct log_writer writer = {.path = path, .fd = -1};

        (void)state;
        write_text(&writer, "first\n");
        limit(6);
        for (int i = 0; i < 3; i++) {
                writer.retry_ms = 0;
                write_text(&writer, "x\n");
        }
        limit(RLIM_INFINITY);
        assert_int_equal(writer.dropped, 3);
        assert_int_equal(writer.missing, 3);
        assert_string_equal(read_file(path), "first\n");
        end(&writer);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_opened_when_needed),    cmocka_unit_test(test_opened_anew),
                cmocka_unit_test(test_an_attempt_that_fails), cmocka_unit_test(test_no_file),
                cmocka_unit_test(test_a_full_disk),           cmocka_unit_test(test_a_disk_that_stays_full),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
