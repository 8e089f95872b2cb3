#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/process/trial.h"

static int succeed(const void *context, struct text *why)
{
        (void)why;
        return context ? 0 : -EINVAL;
}

static int explain(const void *context, struct text *why)
{
        (void)context;
        return text_append(why, "because of that") < 0 ? -ENOMEM : -ENOEXEC;
}

static int crash(const void *context, struct text *why)
{
        (void)context;
        (void)why;
        abort();
}

static int end_process(const void *context, struct text *why)
{
        (void)context;
        (void)why;
        _exit(0);
}

static int hang(const void *context, struct text *why)
{
        (void)context;
        (void)why;
        signal(SIGTERM, SIG_IGN);
        while (pause() < 0)
                ;
        return 0;
}

/* 0 if the process is what the header says. */
static int look_around(const void *context, struct text *why)
{
        const int *fd = context;

        (void)why;
        if (getsid(0) != getpid() || lseek(*fd, 0, SEEK_CUR) >= 0 || errno != EBADF)
                return -EIO;
        return write(STDOUT_FILENO, "to nobody\n", 10) == 10 ? 0 : -errno;
}

static void check(int (*entry)(const void *context, struct text *why), const void *context, int expected,
                  const char *words)
{
        _cleanup_(text_clear) struct text why = {0};

        assert_int_equal(trial_run(entry, context, 300, &why), expected);
        assert_string_equal(text_string(&why), words);
}

static void test_what_entry_returns(void **state)
{
        (void)state;
        check(succeed, "", 0, "");
        check(succeed, NULL, -EINVAL, "");
        check(explain, NULL, -ENOEXEC, "because of that");
}

static void test_children_that_do_not_return(void **state)
{
        (void)state;
        check(crash, NULL, -ECHILD, "it crashes: killed by signal 6 (Aborted)");
        check(end_process, NULL, -ECHILD, "it ends its process, with code 0");
        check(hang, NULL, -ETIMEDOUT, "it takes longer than 300 ms");
}

static void test_what_the_child_has(void **state)
{
        int fds[2];

        (void)state;
        assert_int_equal(pipe2(fds, 0), 0);
        check(look_around, &fds[0], 0, "");
        close(fds[0]);
        close(fds[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_entry_returns),
                cmocka_unit_test(test_children_that_do_not_return),
                cmocka_unit_test(test_what_the_child_has),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
