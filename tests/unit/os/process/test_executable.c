#include <elf.h>
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
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/process/executable.h"
#include "unit/child_helpers.h"

static char directory[] = "/tmp/preforkd-test-executable-XXXXXX";
static const struct executable_place here = {.directory = directory};

static const char *name_of(const char *name)
{
        static char path[4096];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        return path;
}

static void write_file(const char *name, const char *content, size_t length, mode_t mode)
{
        int fd = open(name_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, length), length);
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
}

static void expect(const struct executable_place *place, const char *name, int result, const char *why)
{
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(executable_check(place, name, &text), result);
        if (!strstr(text_string(&text), why))
                fail_msg("%s: \"%s\" does not contain \"%s\"", name, text_string(&text), why);
        if (result == 0)
                assert_int_equal(text.length, 0);
}

static void script(const char *name, const char *content, int result, const char *why)
{
        write_file(name, content, strlen(content), 0755);
        expect(&here, name, result, why);
}

static void test_programs(void **state)
{
        (void)state;
        expect(&here, "/bin/cat", 0, "");
        expect(&here, "/proc/self/exe", 0, "");
        expect(&here, "missing", -ENOENT, "No such file");
        expect(&here, "/etc/passwd/x", -ENOTDIR, "Not a directory");
        expect(&here, "/etc", -EACCES, "it is a directory");
        expect(&here, "/dev/null", -EACCES, "it is not a regular file");
        assert_int_equal(mkfifo(name_of("fifo"), 0755), 0);
        expect(&here, "fifo", -EACCES, "it is not a regular file");
        write_file("plain", "#!/bin/sh\n", 10, 0644);
        expect(&here, "plain", -EACCES, "it may not be executed (mode 0644, uid ");
        assert_int_equal(symlink("loop", name_of("loop")), 0);
        expect(&here, "loop", -ELOOP, "Too many levels");
}

static void test_scripts(void **state)
{
        (void)state;
        script("good", "#!/bin/sh\n", 0, "");
        script("blanks", "#! \t/bin/sh -e\n", 0, "");
        script("unfinished", "#!/bin/sh", 0, "");
        script("gone", "#!/no/such/interpreter\n", -ENOENT, "its interpreter \"/no/such/interpreter\": No such file");
        script("crlf", "#!/bin/sh\r\necho\r\n", -ENOENT,
               "ends in CR LF, so that its interpreter would be \"/bin/sh\\r\"");
        script("crlf-argument", "#!/bin/sh -e\r\n", 1, "gets the CR in an argument");
        script("none", "#!\n", -ENOEXEC, "no interpreter follows");
        script("relative", "#!good\n", 0, "");
        script("nested", "#!gone\n", -ENOENT, "its interpreter \"gone\": its interpreter \"/no/such/interpreter\"");
        script("itself", "#!itself\n", -ELOOP, "more than 4 deep");
        script("directory", "#!/etc\n", -EACCES, "its interpreter \"/etc\": it is a directory");
        script("empty", "", -ENOEXEC, "it is empty");
}

static void interpreter(const char *name, const char *content, const char *expected, const char *expected_argument)
{
        _cleanup_(freep) char *found = NULL, *argument = NULL;

        write_file(name, content, strlen(content), 0755);
        assert_int_equal(executable_interpreter(&here, name_of(name), &found, &argument), 0);
        assert_int_equal(!found, !argument);
        assert_string_equal(found ? found : "none", expected);
        assert_string_equal(argument ? argument : "none", expected_argument);
}

static void test_interpreters(void **state)
{
        _cleanup_(freep) char *found = NULL, *argument = NULL;

        (void)state;
        interpreter("bare", "#!/bin/sh\n", "/bin/sh", "");
        interpreter("short", "#!/bin/sh", "/bin/sh", "");
        interpreter("more", "#! \t/bin/env  -S perl -w\nuse strict\n", "/bin/env", "-S perl -w");
        interpreter("relative", "#!good x\n", "good", "x");
        interpreter("missing", "#!/no/such/interpreter\n", "/no/such/interpreter", "");
        interpreter("nameless", "#! \n/bin/sh\n", "none", "none");
        interpreter("none", "echo\n", "none", "none");
        interpreter("empty", "", "none", "none");
        assert_int_equal(executable_interpreter(&here, "/no/such/file", &found, &argument), 0);
        assert_int_equal(executable_interpreter(&here, "/dev/tty", &found, &argument), 0);
        assert_int_equal(executable_interpreter(&here, directory, &found, &argument), 0);
        assert_true(!found && !argument);
}

static void test_no_mark(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        write_file("text", "echo hi\n", 8, 0755);
        int r = executable_check(&here, "text", &text);
        assert_true(r == -ENOEXEC || r == 1); /* 1: the system has binfmt_misc */
        assert_non_null(strstr(text_string(&text), "neither \"#!\""));
}

static size_t read_program(const char *path, char *bytes, size_t size)
{
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = read(fd, bytes, size);

        assert_true(length > 4000);
        return (size_t)length;
}

static void test_elf(void **state)
{
        static char bytes[4 << 20];
        size_t length = read_program("/bin/cat", bytes, sizeof(bytes));

        (void)state;
        write_file("whole", bytes, length, 0755);
        expect(&here, "whole", 0, "");
        static const size_t cuts[] = {4, 40, 100, 3000};
        for (size_t i = 0; i < ELEMENTS(cuts); i++) {
                write_file("cut", bytes, cuts[i], 0755);
                expect(&here, "cut", -ENOEXEC, "was cut off after");
        }
        char *loader = memmem(bytes, length, "/lib", 4);
        assert_non_null(loader);
        memcpy(loader, "/LIB", 4);
        write_file("loaderless", bytes, length, 0755);
        expect(&here, "loaderless", -ENOENT, "its loader \"/LIB");
        ((char *)bytes)[16] = ET_REL;
        write_file("object", bytes, length, 0755);
        expect(&here, "object", -ENOEXEC, "an ELF file, but not a program");
        ((char *)bytes)[4] = 7; /* a class that is not ours */
        write_file("foreign", bytes, length, 0755);
        expect(&here, "foreign", 0, "");
}

/* The same numbers in each run (a linear congruential generator). */
static uint32_t roll(uint32_t *state)
{
        *state = *state * 1664525 + 1013904223;
        return *state >> 8;
}

/* Whatever the bytes are, the check returns. */
static void test_rubbish(void **state)
{
        static char bytes[4 << 20];
        size_t length = MIN_OF(read_program("/bin/cat", bytes, sizeof(bytes)), (size_t)8192);

        (void)state;
        uint32_t state_of_dice = 1;
        for (int round = 0; round < 2000; round++) {
                char copy[8192];
                _cleanup_(text_clear) struct text text = {0};
                memcpy(copy, bytes, length);
                for (int i = 0; i < 8; i++)
                        copy[16 + roll(&state_of_dice) % 400] = (char)roll(&state_of_dice);
                write_file("rubbish", copy, length, 0755);
                executable_check(&here, "rubbish", &text);
        }
}

static void test_search(void **state)
{
        _cleanup_(text_clear) struct text why = {0};
        _cleanup_(freep) char *found = NULL;

        (void)state;
        assert_int_equal(executable_find(&here, "cat", "/nowhere:/usr/bin:/bin", &found, &why), 0);
        assert_string_equal(found, "/usr/bin/cat");
        freep(&found);
        assert_int_equal(executable_find(&here, "nothing-like-it", "/usr/bin:/bin", &found, &why), -ENOENT);
        assert_string_equal(text_string(&why), "no directory of PATH=/usr/bin:/bin has it: No such file or directory");
        assert_null(found);
        text_truncate(&why);
        /* Directories are passed over; one that may not be executed is told of if there is no other. */
        assert_int_equal(mkdir(name_of("cat"), 0755), 0);
        assert_int_equal(executable_find(&here, "cat", directory, &found, &why), -EACCES);
        assert_string_equal(text_string(&why), "it is a directory");
        freep(&found);
        text_truncate(&why);
        _cleanup_(freep) char *path = NULL;
        assert_true(asprintf(&path, "%s:/bin", directory) > 0);
        assert_int_equal(executable_find(&here, "cat", path, &found, &why), 0);
        assert_string_equal(found, "/bin/cat");
        freep(&found);
        assert_int_equal(executable_find(&here, "good", ".:/bin", &found, &why), 0); /* relative to `directory` */
}

/* Links lead inside the root. */
static void test_root(void **state)
{
        const struct executable_place inside = {.root = directory, .directory = "/"};

        (void)state;
        if (under_valgrind()) /* it does not know openat2(2) */
                skip();
        expect(&inside, "/good", -ENOENT, "its interpreter \"/bin/sh\": No such file");
        assert_int_equal(mkdir(name_of("bin"), 0755), 0);
        assert_int_equal(symlink("/whole", name_of("bin/sh")), 0);
        expect(&inside, "/good", -ENOENT, "its interpreter \"/bin/sh\": its loader ");
}

static void test_another_user(void **state)
{
        const struct executable_place as_nobody = {.directory = "/",
                                                   .user = {.change = true, .uid = 65534, .gid = 65534}};
        char expected[5000];

        (void)state;
        if (geteuid() != 0 || under_valgrind())
                skip();
        assert_int_equal(chmod(directory, 0755), 0);
        write_file("mine", "#!/bin/sh\n", 10, 0700);
        expect(&as_nobody, name_of("mine"), -EACCES, "it may not be executed (mode 0700, uid 0, gid 0)");
        write_file("unreadable", "#!/bin/sh\n", 10, 0711);
        expect(&as_nobody, name_of("unreadable"), -EACCES, "its interpreter may not read (mode 0711");
        assert_int_equal(mkdir(name_of("private"), 0700), 0);
        write_file("private/x", "#!/bin/sh\n", 10, 0755);
        expect(&here, name_of("private/x"), 0, "");
        snprintf(expected, sizeof(expected), "the directory \"%s\" may not be entered (mode 0700, uid 0, gid 0)",
                 name_of("private"));
        expect(&as_nobody, name_of("private/x"), -EACCES, expected);
        script("private-interpreter", "#!private/x\n", 0, "");
        _cleanup_(text_clear) struct text why = {0};
        assert_int_equal(executable_check_directory(&as_nobody, name_of("private"), &why), -EACCES);
        assert_string_equal(text_string(&why), "it may not be entered (mode 0700, uid 0, gid 0)");
        assert_int_equal(executable_check_directory(&here, name_of("private"), &why), 0);
        assert_int_equal(executable_check_directory(&here, name_of("mine"), &why), -ENOTDIR);
        /* We are ourselves again. */
        assert_int_equal(open(name_of("mine"), O_PATH | O_CLOEXEC) >= 0, 1);
        assert_int_equal(access(name_of("private/x"), X_OK), 0);
}

static int set_up(void **state)
{
        (void)state;
        return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
        pid_t pid = fork();
        int status;

        (void)state;
        if (pid == 0) {
                execlp("rm", "rm", "-rf", directory, (char *)NULL);
                _exit(127);
        }
        return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_programs), cmocka_unit_test(test_scripts), cmocka_unit_test(test_interpreters),
                cmocka_unit_test(test_no_mark),  cmocka_unit_test(test_elf),     cmocka_unit_test(test_rubbish),
                cmocka_unit_test(test_search),   cmocka_unit_test(test_root),    cmocka_unit_test(test_another_user),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
