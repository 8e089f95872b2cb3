/* Standard error of every kind, with readers that are slow, gone or somebody else's. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit/log_sink_helpers.h"

#define NOBODY 65534

/* The open file is shared with others: neither its flags nor those of the descriptor may change. */
static void assert_blocking(int fd)
{
        assert_int_equal(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND), 0);
        assert_int_equal(fcntl(fd, F_GETFD), 0);
}

static void test_stderr_form(void **state)
{
        int fds[2];

        (void)state;
        assert_int_equal(pipe(fds), 0);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, fds[1]);
        write_fields(sink, LOG_INFO, (struct log_fields){.pool = "www", .worker_pid = 4711}, "message");
        assert_string_equal(read_all(fds[0]), "preforkd: pool www: worker 4711: message\n");
        write_fields(sink, LOG_WARNING, (struct log_fields){.file = "a.conf", .line = 3}, "odd");
        assert_string_equal(read_all(fds[0]), "preforkd: warning: a.conf:3: odd\n");
        write_fields(sink, LOG_ERR, (struct log_fields){0}, "two\nlines");
        assert_string_equal(read_all(fds[0]), "preforkd: error: two\\nlines\n");
        write_fields(sink, LOG_DEBUG, (struct log_fields){0}, "");
        assert_string_equal(read_all(fds[0]), "preforkd: debug: \n");
        log_sink_close(sink);
        assert_int_equal(fcntl(fds[1], F_GETFD), 0); /* borrowed, so still open */
        close(fds[0]);
        close(fds[1]);
}

/* `2026-11-21T17:00:00.123+01:00 ` in front of `line`? */
static bool is_stamped(const char *line)
{
        static const char form[] = "dddd-dd-ddTdd:dd:dd.dddsdd:dd ";

        for (size_t i = 0; i < sizeof(form) - 1; i++)
                if (form[i] == 'd'   ? line[i] < '0' || line[i] > '9'
                    : form[i] == 's' ? line[i] != '+' && line[i] != '-'
                                     : line[i] != form[i])
                        return false;
        return true;
}

/* The reader is the journal if JOURNAL_STREAM names the pipe: then it stamps. */
static void check_stamps(bool is_journal, enum log_stamps stamps, bool expected)
{
        struct stat status;
        char stream[64];
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_int_equal(fstat(fds[1], &status), 0);
        snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
                 (unsigned long long)status.st_ino);
        if (is_journal)
                setenv("JOURNAL_STREAM", stream, 1);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, fds[1]);
        unsetenv("JOURNAL_STREAM");
        log_sink_set_form(sink, stamps, false);
        write_record(sink, "message");
        const char *line = read_all(fds[0]) + (is_journal ? strlen("<6>") : 0);
        assert_int_equal(is_stamped(line), expected);
        assert_ends_with(line, is_journal ? "message\n" : "preforkd: message\n");
        log_sink_close(sink);
        close(fds[0]);
        close(fds[1]);
}

static void test_stamps(void **state)
{
        (void)state;
        check_stamps(false, LOG_STAMPS_AUTO, true);
        check_stamps(false, LOG_STAMPS_YES, true);
        check_stamps(false, LOG_STAMPS_NO, false);
        check_stamps(true, LOG_STAMPS_AUTO, false);
        check_stamps(true, LOG_STAMPS_YES, true);
        check_stamps(true, LOG_STAMPS_NO, false);
}

static void test_stderr_long_record(void **state)
{
        static char message[3001];
        int fds[2];

        (void)state;
        memset(message, '\x01', sizeof(message) - 1); /* four bytes each when made harmless */
        assert_int_equal(pipe(fds), 0);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, fds[1]);
        write_record(sink, message);
        const char *line = read_all(fds[0]);
        assert_int_equal(strlen(line), PIPE_BUF);
        assert_int_equal(line[PIPE_BUF - 1], '\n');
        assert_int_equal(log_sink_dropped(sink), 0);
        log_sink_close(sink);
        close(fds[0]);
        close(fds[1]);
}

/* Fill, empty, write again: whole lines only, then the report, and the shared open file is what it was. */
static void fill_and_recover(int write_fd, int read_fd)
{
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, write_fd);

        assert_blocking(write_fd);
        assert_true(fill(sink) > 0);
        assert_blocking(write_fd);
        read_all(read_fd);
        write_record(sink, "after");
        assert_ends_with(read_all(read_fd), "preforkd: after\npreforkd: warning: 17 log records were dropped\n");
        write_record(sink, "later");
        assert_string_equal(read_all(read_fd), "preforkd: later\n");
        log_sink_close(sink);
        assert_blocking(write_fd);
}

static void test_stderr_full_pipe(void **state)
{
        int fds[2];

        (void)state;
        assert_int_equal(pipe(fds), 0);
        fill_and_recover(fds[1], fds[0]);
        close(fds[0]);
        close(fds[1]);
}

static void test_stderr_full_sockets(void **state)
{
        const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(types); i++) {
                int fds[2];
                assert_int_equal(socketpair(AF_UNIX, types[i], 0, fds), 0);
                if (types[i] == SOCK_STREAM)
                        fill_and_recover(fds[1], fds[0]);
                else { /* packets are read one by one */
                        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, fds[1]);
                        unsigned got_through = fill(sink);
                        assert_int_equal(receive_rest(fds[0]), got_through);
                        assert_blocking(fds[1]);
                        log_sink_close(sink);
                }
                close(fds[0]);
                close(fds[1]);
        }
}

/* Bytes come out raw, so that a line is what was written. */
static void open_terminal(int *ret_main, int *ret_terminal)
{
        struct termios raw;

        assert_int_equal(openpty(ret_main, ret_terminal, NULL, NULL, NULL), 0);
        tcgetattr(*ret_terminal, &raw);
        cfmakeraw(&raw);
        tcsetattr(*ret_terminal, TCSANOW, &raw);
}

static void test_stderr_stuck_terminal(void **state)
{
        int main_fd, terminal_fd;

        (void)state;
        open_terminal(&main_fd, &terminal_fd);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, terminal_fd);
        assert_true(fill(sink) > 0);
        assert_blocking(terminal_fd);
        log_sink_close(sink);
        close(main_fd);
        close(terminal_fd);
}

/* Everything up to and with `end`, from a terminal, which hands over from a kernel thread. */
static const char *read_until(int fd, const char *end)
{
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        size_t length = 0;

        received[0] = '\0';
        while (!strstr(received, end)) {
                assert_int_equal(poll(&readable, 1, 5000), 1);
                ssize_t n = read(fd, received + length, READ_MAX - length);
                assert_true(n > 0);
                length += (size_t)n;
                received[length] = '\0';
        }
        return received;
}

/* Empty a terminal; true if what was in it ended with a newline. */
static bool is_whole_lines(int fd)
{
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        char bytes[4096];
        char last = '\n';

        while (poll(&readable, 1, 200) == 1) {
                ssize_t n = read(fd, bytes, sizeof(bytes));
                assert_true(n > 0);
                last = bytes[n - 1];
        }
        return last == '\n';
}

/* A terminal took part of a record: the rest is dropped, and the next record has a line of its own. */
static void test_stderr_cut_line_is_ended(void **state)
{
        static char message[3001];
        int main_fd, terminal_fd;
        bool was_cut = false;

        (void)state;
        open_terminal(&main_fd, &terminal_fd);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, terminal_fd);
        for (size_t length = 3000; !was_cut && length > 2000; length -= 10) {
                uint64_t dropped_before = log_sink_dropped(sink);
                memset(message, 'x', length);
                message[length] = '\0';
                while (log_sink_dropped(sink) == dropped_before)
                        write_record(sink, message);
                was_cut = !is_whole_lines(main_fd);
                write_record(sink, "next");
                const char *text = read_until(main_fd, "was dropped\n");
                assert_string_equal(text + (was_cut ? 1 : 0),
                                    "preforkd: next\npreforkd: warning: 1 log record was dropped\n");
                assert_int_equal(text[0] == '\n', was_cut);
        }
        assert_true(was_cut);
        log_sink_close(sink);
        close(main_fd);
        close(terminal_fd);
}

static void test_stderr_regular_file(void **state)
{
        _cleanup_(file_closep) FILE *file = tmpfile();

        (void)state;
        assert_non_null(file);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, fileno(file));
        write_record(sink, "one");
        write_record(sink, "two");
        rewind(file);
        received[fread(received, 1, READ_MAX, file)] = '\0';
        assert_string_equal(received, "preforkd: one\npreforkd: two\n");
        log_sink_close(sink);
}

static void test_stderr_without_reader(void **state)
{
        int fds[2];

        (void)state;
        assert_int_equal(pipe(fds), 0);
        struct log_sink_state *before = open_sink(LOG_DESTINATION_STDERR, fds[1]);
        close(fds[0]);
        struct log_sink_state *after = open_sink(LOG_DESTINATION_STDERR, fds[1]);
        write_record(before, "nobody");
        write_record(after, "nobody");
        assert_int_equal(log_sink_dropped(before), 1);
        assert_int_equal(log_sink_dropped(after), 1);
        log_sink_close(before);
        log_sink_close(after);
        close(fds[1]);
}

static void test_stderr_not_open(void **state)
{
        const struct log_sink_places places = {.stderr_fd = 900};
        struct log_sink_state *sink = NULL;

        (void)state;
        assert_int_equal(log_sink_open(LOG_DESTINATION_STDERR, &places, &sink), -EBADF);
        assert_int_equal(log_sink_open(LOG_DESTINATION_AUTO, &places, &sink), -EBADF);
        assert_null(sink);
}

/* --- files that we may write but not open again ---------------------------------------------------------------- */

/* As after a change of user: the file is another's. Owners lose access by mode, root by becoming nobody for a while. */
static void forbid_reopening(int fd)
{
        assert_int_equal(fchmod(fd, 0), 0);
        if (getuid() == 0)
                assert_int_equal(seteuid(NOBODY), 0);
}

static void permit_reopening(void)
{
        if (getuid() == 0)
                assert_int_equal(seteuid(0), 0);
        prctl(PR_SET_DUMPABLE, 1); /* the change of user cleared it, and leak checkers need it */
}

static void test_foreign_pipe(void **state)
{
        int fds[2];

        (void)state;
        assert_int_equal(pipe(fds), 0);
        forbid_reopening(fds[1]);
        struct log_sink_state *probe = open_sink(LOG_DESTINATION_STDERR, fds[1]);
        int used[LOG_SINK_FDS_MAX];
        assert_int_equal(log_sink_fds(probe, used), 3); /* the pipe itself and the one of our own */
        log_sink_close(probe);
        fill_and_recover(fds[1], fds[0]);
        permit_reopening();
        close(fds[0]);
        close(fds[1]);
}

static void test_foreign_terminal(void **state)
{
        int main_fd, terminal_fd, used[LOG_SINK_FDS_MAX];

        (void)state;
        open_terminal(&main_fd, &terminal_fd);
        forbid_reopening(terminal_fd);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, terminal_fd);
        assert_int_equal(log_sink_fds(sink, used), 1);
        assert_int_equal(used[0], terminal_fd);
        write_record(sink, "polled");
        assert_string_equal(read_until(main_fd, "\n"), "preforkd: polled\n");
        tcflow(terminal_fd, TCOOFF); /* Ctrl-S: poll says no */
        write_record(sink, "stopped");
        assert_int_equal(log_sink_dropped(sink), 1);
        tcflow(terminal_fd, TCOON);
        assert_blocking(terminal_fd);
        log_sink_close(sink);
        permit_reopening();
        close(main_fd);
        close(terminal_fd);
}

/* The same with a terminal that is our controlling one: it can be had non-blocking by the name /dev/tty. */
static int log_to_controlling_terminal(int terminal_fd)
{
        const struct log_sink_places places = {.stderr_fd = terminal_fd};
        struct log_sink_state *sink = NULL;
        int used[LOG_SINK_FDS_MAX];

        if (setsid() < 0 || ioctl(terminal_fd, TIOCSCTTY, 0) < 0 || fchmod(terminal_fd, 0) < 0)
                return 1;
        if (getuid() == 0 && seteuid(NOBODY) < 0)
                return 2;
        if (log_sink_open(LOG_DESTINATION_STDERR, &places, &sink) != 0)
                return 3;
        if (log_sink_fds(sink, used) != 1 || used[0] == terminal_fd || !(fcntl(used[0], F_GETFL) & O_NONBLOCK))
                return 4;
        while (log_sink_dropped(sink) < 17)
                write_record(sink, "a record like any other");
        return fcntl(terminal_fd, F_GETFL) & O_NONBLOCK ? 5 : 0;
}

static void test_foreign_controlling_terminal(void **state)
{
        int main_fd, terminal_fd, status = 0;

        (void)state;
        if (access("/dev/tty", F_OK) < 0)
                skip();
        open_terminal(&main_fd, &terminal_fd);
        pid_t pid = fork();
        if (pid == 0) {
                alarm(20);
                _exit(log_to_controlling_terminal(terminal_fd));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        close(main_fd);
        close(terminal_fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stderr_form),
                cmocka_unit_test(test_stamps),
                cmocka_unit_test(test_stderr_long_record),
                cmocka_unit_test(test_stderr_full_pipe),
                cmocka_unit_test(test_stderr_full_sockets),
                cmocka_unit_test(test_stderr_stuck_terminal),
                cmocka_unit_test(test_stderr_cut_line_is_ended),
                cmocka_unit_test(test_stderr_regular_file),
                cmocka_unit_test(test_stderr_without_reader),
                cmocka_unit_test(test_stderr_not_open),
                cmocka_unit_test(test_foreign_pipe),
                cmocka_unit_test(test_foreign_terminal),
                cmocka_unit_test(test_foreign_controlling_terminal),
        };
        return cmocka_run_group_tests(tests, sink_setup, sink_teardown);
}
