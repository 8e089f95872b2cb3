/* The sinks against daemons that do not read, are not there, go away and come back. */
#include <errno.h>
#include <sys/wait.h>
#include <time.h>

#include "base/connection_record.h"
#include "os/log/text.h"
#include "os/process/open_fds.h"
#include "unit/log_sink_helpers.h"

/* --- the journal ----------------------------------------------------------------------------------------------- */

static void test_journal_fields(void **state)
{
        _cleanup_(fd_closep) int journald = bind_daemon();
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_JOURNAL, 0);
        const struct log_fields fields = {.pool = "www",
                                          .worker_pid = 4711,
                                          .generation = 3,
                                          .requests = 99,
                                          .request_duration_us = 1234567,
                                          .reason = "max_requests",
                                          .message_id = MESSAGE_ID_STARTED,
                                          .file = "www.conf",
                                          .line = 12};
        char pid[32];

        (void)state;
        write_fields(sink, LOG_NOTICE, fields, "retired");
        snprintf(pid, sizeof(pid), "SYSLOG_PID=%d\n", (int)getpid());
        const char *datagram = receive_one(journald, NULL);
        assert_int_equal(strncmp(datagram, "PRIORITY=5\n", 11), 0);
        assert_contains(datagram, "\nMESSAGE=pool www: worker 4711: www.conf:12: retired\n");
        assert_contains(datagram, "\nSYSLOG_IDENTIFIER=preforkd\n");
        assert_contains(datagram, "\nSYSLOG_FACILITY=3\n");
        assert_contains(datagram, pid);
        assert_contains(datagram, "\nPOOL=www\n");
        assert_contains(datagram, "\nWORKER_PID=4711\n");
        assert_contains(datagram, "\nGENERATION=3\n");
        assert_contains(datagram, "\nREQUESTS=99\n");
        assert_contains(datagram, "\nREQUEST_DURATION_USEC=1234567\n");
        assert_contains(datagram, "\nREASON=max_requests\n");
        assert_contains(datagram, "\nMESSAGE_ID=14ff47b269564fb9bdc256eb9a542e5e\n");
        assert_contains(datagram, "\nCONFIG_FILE=www.conf\n");
        assert_contains(datagram, "\nCONFIG_LINE=12\n");
        write_record(sink, "bare");
        datagram = receive_one(journald, NULL);
        assert_contains(datagram, "\nMESSAGE=bare\n");
        assert_null(strstr(datagram, "POOL="));
        assert_null(strstr(datagram, "MESSAGE_ID="));
        assert_null(strstr(datagram, "WORKER_PID="));
        assert_null(strstr(datagram, "CONFIG_"));
        log_sink_close(sink);
}

/* What a connection's record says, in fields of its own; what it does not say has none. */
static void test_journal_connection(void **state)
{
        _cleanup_(fd_closep) int journald = bind_daemon();
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_JOURNAL, 0);
        struct connection_record record = {.has = CONNECTION_HAS_TCP | CONNECTION_HAS_STATUS,
                                           .bytes_in = 5,
                                           .bytes_out = 0,
                                           .pid = 4712,
                                           .client.in.sin_family = AF_INET};

        (void)state;
        write_fields(sink, LOG_INFO, (struct log_fields){.connection = &record}, "x");
        const char *datagram = receive_one(journald, NULL);
        assert_contains(datagram, "\nCLIENT_ADDRESS=0.0.0.0\n");
        assert_contains(datagram, "\nHANDLER_PID=4712\n");
        assert_contains(datagram, "\nBYTES_IN=5\n");
        assert_contains(datagram, "\nBYTES_OUT=0\n");
        assert_contains(datagram, "\nEXIT_STATUS=0\n");
        assert_null(strstr(datagram, "EXIT_SIGNAL="));
        assert_null(strstr(datagram, "CPU_USEC="));
        assert_null(strstr(datagram, "LISTENER="));
        log_sink_close(sink);
}

static void test_journal_several_lines(void **state)
{
        _cleanup_(fd_closep) int journald = bind_daemon();
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_JOURNAL, 0);
        const char expected[] = "\nMESSAGE\n\x0e\0\0\0\0\0\0\0one\nPRIORITY=0\n";
        size_t length = 0;

        (void)state;
        write_record(sink, "one\nPRIORITY=0");
        const char *datagram = receive_one(journald, &length);
        assert_non_null(memmem(datagram, length, expected, sizeof(expected) - 1));
        log_sink_close(sink);
}

static void test_journal_that_does_not_read(void **state)
{
        _cleanup_(fd_closep) int journald = bind_daemon();
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_JOURNAL, 0);

        (void)state;
        unsigned got_through = fill(sink);
        assert_true(got_through > 0);
        assert_int_equal(receive_rest(journald), got_through);
        write_record(sink, "after");
        assert_contains(receive_one(journald, NULL), "\nMESSAGE=after\n");
        const char *report = receive_one(journald, NULL);
        assert_contains(report, "PRIORITY=4\n");
        assert_contains(report, "\nMESSAGE=17 log records were dropped\n");
        write_record(sink, "later");
        assert_contains(receive_one(journald, NULL), "\nMESSAGE=later\n");
        assert_int_equal(receive_rest(journald), 0);
        assert_int_equal(log_sink_dropped(sink), 17);
        log_sink_close(sink);
}

/* Room for one at a time must carry records, not reports about reports. */
static void test_slow_reader_gets_records(void **state)
{
        _cleanup_(fd_closep) int journald = bind_daemon();
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_JOURNAL, 0);

        (void)state;
        unsigned queued = fill(sink);
        for (unsigned i = 0; i < queued; i++) {
                receive_one(journald, NULL);
                write_record(sink, "squeezed in");
        }
        assert_int_equal(log_sink_dropped(sink), 17);
        for (unsigned i = 0; i < queued; i++)
                assert_contains(receive_one(journald, NULL), "\nMESSAGE=squeezed in\n");
        log_sink_close(sink);
}

/* --- syslog ---------------------------------------------------------------------------------------------------- */

static void test_syslog_form(void **state)
{
        _cleanup_(fd_closep) int syslogd = bind_daemon();
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_SYSLOG, 0);
        char priority[16], rest[64];
        struct tm when;

        (void)state;
        write_fields(sink, LOG_WARNING, (struct log_fields){.pool = "www"}, "two\nlines");
        const char *line = receive_one(syslogd, NULL);
        snprintf(priority, sizeof(priority), "<%d>", LOG_DAEMON | LOG_WARNING);
        assert_int_equal(strncmp(line, priority, strlen(priority)), 0);
        assert_true(line[7] == ' ' && (line[8] == ' ' || line[8] >= '1')); /* <28>Mmm d: a day of one digit is padded */
        snprintf(rest, sizeof(rest), " preforkd[%d]: pool www: two\\nlines", (int)getpid());
        assert_string_equal(strptime(line + strlen(priority), "%b %d %H:%M:%S", &when), rest);
        log_sink_close(sink);
}

static void test_syslogd_goes_and_comes_back(void **state)
{
        int syslogd = bind_daemon();
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_SYSLOG, 0);

        (void)state;
        write_record(sink, "first");
        assert_ends_with(receive_one(syslogd, NULL), ": first");
        close(syslogd);
        write_record(sink, "refused");
        unlink(socket_path);
        write_record(sink, "nobody there");
        assert_int_equal(log_sink_dropped(sink), 2);
        syslogd = bind_daemon();
        write_record(sink, "again");
        assert_ends_with(receive_one(syslogd, NULL), ": again");
        assert_ends_with(receive_one(syslogd, NULL), ": 2 log records were dropped");
        close(syslogd);
        log_sink_close(sink);
}

static void test_syslogd_not_there_yet(void **state)
{
        unlink(socket_path);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_SYSLOG, 0);

        (void)state;
        write_record(sink, "lost");
        _cleanup_(fd_closep) int syslogd = bind_daemon();
        write_record(sink, "found");
        assert_ends_with(receive_one(syslogd, NULL), ": found");
        assert_ends_with(receive_one(syslogd, NULL), ": 1 log record was dropped");
        log_sink_close(sink);
}

/* --- auto, and the sink as a whole ------------------------------------------------------------------------------ */

static void set_journal_stream(int fd)
{
        struct stat status;
        char value[64];

        assert_int_equal(fstat(fd, &status), 0);
        snprintf(value, sizeof(value), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
        setenv("JOURNAL_STREAM", value, 1);
}

static void test_auto(void **state)
{
        int journald = bind_daemon(), stream[2], elsewhere[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
        assert_int_equal(pipe(elsewhere), 0);
        set_journal_stream(stream[1]);
        struct log_sink_state *journal = open_sink(LOG_DESTINATION_AUTO, stream[1]);
        assert_int_equal(log_sink_destination(journal), LOG_DESTINATION_JOURNAL);
        struct log_sink_state *redirected = open_sink(LOG_DESTINATION_AUTO, elsewhere[1]);
        assert_int_equal(log_sink_destination(redirected), LOG_DESTINATION_STDERR);
        close(journald);
        unlink(socket_path);
        struct log_sink_state *stream_only = open_sink(LOG_DESTINATION_AUTO, stream[1]);
        assert_int_equal(log_sink_destination(stream_only), LOG_DESTINATION_STDERR);
        write_fields(stream_only, LOG_WARNING, (struct log_fields){.pool = "www"}, "by stream");
        assert_string_equal(read_all(stream[0]), "<4>pool www: by stream\n");
        write_record(redirected, "by pipe");
        assert_string_equal(read_all(elsewhere[0]), "preforkd: by pipe\n");
        unsetenv("JOURNAL_STREAM");
        struct log_sink_state *plain = open_sink(LOG_DESTINATION_AUTO, stream[1]);
        assert_int_equal(log_sink_destination(plain), LOG_DESTINATION_STDERR);
        struct log_sink_state *all[] = {journal, redirected, stream_only, plain};
        for (size_t i = 0; i < ELEMENTS(all); i++)
                log_sink_close(all[i]);
        fds_close_all_except((const int[]){0, 1, 2}, 3);
}

static void test_adopts_what_is_unreported(void **state)
{
        unlink(socket_path);
        struct log_sink_state *old = open_sink(LOG_DESTINATION_SYSLOG, 0);
        struct log_sink_state *new = open_sink(LOG_DESTINATION_JOURNAL, 0);

        (void)state;
        write_record(old, "lost");
        write_record(old, "lost");
        log_sink_adopt(new, old);
        log_sink_close(old);
        log_sink_close(NULL);
        _cleanup_(fd_closep) int journald = bind_daemon();
        write_record(new, "found");
        assert_contains(receive_one(journald, NULL), "\nMESSAGE=found\n");
        assert_contains(receive_one(journald, NULL), "\nMESSAGE=2 log records were dropped\n");
        assert_int_equal(log_sink_dropped(new), 2);
        log_sink_close(new);
}

/* What the pipe of the log process does not take goes to stderr; both are told, and counted. */
static void test_file(void **state)
{
        int pipe_fds[2], stderr_fds[2];

        (void)state;
        assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
        assert_int_equal(pipe(stderr_fds), 0);
        const struct log_sink_places places = {.stderr_fd = stderr_fds[1], .file_fd = pipe_fds[1]};
        struct log_sink_state *sink = NULL;
        assert_int_equal(log_sink_open(LOG_DESTINATION_FILE, &places, &sink), 0);
        log_sink_set_form(sink, LOG_STAMPS_NO, false);
        assert_int_equal(log_sink_destination(sink), LOG_DESTINATION_FILE);
        write_fields(sink, LOG_WARNING, (struct log_fields){.pool = "www"}, "one");
        assert_string_equal(read_all(pipe_fds[0]), "preforkd: warning: pool www: one\n");
        assert_string_equal(read_all(stderr_fds[0]), "");

        fill(sink);
        assert_contains(read_all(stderr_fds[0]), "preforkd: a record like any other\n");
        read_all(pipe_fds[0]);
        write_record(sink, "after");
        assert_string_equal(read_all(pipe_fds[0]),
                            "preforkd: after\npreforkd: warning: 17 log records were dropped here; stderr had them\n");

        log_sink_set_failing(sink, true);
        write_record(sink, "both");
        assert_string_equal(read_all(pipe_fds[0]), "preforkd: both\n");
        assert_string_equal(read_all(stderr_fds[0]), "preforkd: both\n");
        log_sink_set_failing(sink, false);
        log_sink_tell_stderr(sink, &(const struct log_record){.priority = LOG_ERR, .message = "about the file"});
        assert_string_equal(read_all(pipe_fds[0]), "");
        assert_string_equal(read_all(stderr_fds[0]), "preforkd: error: about the file\n");
        assert_int_equal(log_sink_dropped(sink), 17);
        log_sink_close(sink);
        fds_close_all_except((const int[]){0, 1, 2}, 3);
}

#define MANY 200

/* Many records at once, "0: xxx…" and so on. */
static void write_many(struct log_sink_state *state, size_t length)
{
        static char messages[MANY][LOG_LINE_MAX];
        struct log_record records[MANY];
        const struct log_sink sink = log_sink_get(state);

        for (int i = 0; i < MANY; i++) {
                int begin = snprintf(messages[i], sizeof(messages[i]), "%d: ", i);
                memset(messages[i] + begin, 'x', length);
                messages[i][begin + (int)length] = '\0';
                records[i] = (struct log_record){.priority = LOG_INFO, .message = messages[i]};
        }
        sink.write_many(sink.context, records, MANY);
}

/* How many lines there are: all of them whole, in their order, from the first on. */
static int whole_lines(const char *text, size_t length)
{
        char expected[64];
        int i = 0;

        for (; strncmp(text, "preforkd: warning: ", 19) != 0 && *text; i++) {
                int begin = snprintf(expected, sizeof(expected), "preforkd: %d: ", i);
                assert_int_equal(strncmp(text, expected, (size_t)begin), 0);
                assert_int_equal(strspn(text + begin, "x"), length);
                assert_int_equal(text[begin + (int)length], '\n');
                text += begin + (int)length + 1;
        }
        return i;
}

static struct log_sink_state *open_file_sink(int file_fd, int stderr_fd)
{
        const struct log_sink_places places = {.stderr_fd = stderr_fd, .file_fd = file_fd};
        struct log_sink_state *sink = NULL;

        assert_int_equal(log_sink_open(LOG_DESTINATION_FILE, &places, &sink), 0);
        log_sink_set_form(sink, LOG_STAMPS_NO, false);
        return sink;
}

/* Lines that are written together are those that would be written one by one, in pieces that a pipe takes whole. */
static void test_many(void **state)
{
        static const size_t lengths[] = {0, 1, 300, 1900};
        int fds[2];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                assert_int_equal(pipe2(fds, O_DIRECT | O_NONBLOCK), 0); /* each write is read by itself */
                fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
                struct log_sink_state *sink = open_file_sink(fds[1], STDERR_FILENO);
                write_many(sink, lengths[i]);
                size_t length = 0, pieces = 0;
                for (ssize_t n; (n = read(fds[0], received + length, READ_MAX - length)) > 0; pieces++) {
                        assert_in_range(n, 1, LOG_LINE_MAX);
                        assert_int_equal(received[length + (size_t)n - 1], '\n');
                        length += (size_t)n;
                }
                received[length] = '\0';
                assert_int_equal(whole_lines(received, lengths[i]), MANY);
                assert_in_range(pieces, 1, lengths[i] > 1000 ? MANY / 2 : MANY / 10);
                log_sink_close(sink);
                close(fds[0]);
                close(fds[1]);
        }
}

/* Where there is room for some, the others are dropped and counted, as they are one by one. */
static void test_many_without_room(void **state)
{
        int file_fds[2], stderr_fds[2];

        (void)state;
        assert_int_equal(pipe2(file_fds, O_NONBLOCK), 0);
        assert_int_equal(pipe(stderr_fds), 0);
        struct log_sink_state *sink = open_file_sink(file_fds[1], stderr_fds[1]);
        write_many(sink, 400);
        int got_through = whole_lines(read_all(file_fds[0]), 400);
        assert_in_range(got_through, 1, MANY - 1);
        assert_int_equal(log_sink_dropped(sink), MANY - got_through);
        char first[32];
        snprintf(first, sizeof(first), "preforkd: %d: xxx", got_through);
        assert_int_equal(strncmp(read_all(stderr_fds[0]), first, strlen(first)), 0);
        write_many(sink, 0);
        const char *text = read_all(file_fds[0]);
        assert_int_equal(whole_lines(text, 0), MANY);
        assert_contains(text, " log records were dropped here; stderr had them\n");
        assert_int_equal(log_sink_unreported(sink), 0);
        log_sink_close(sink);
        fds_close_all_except((const int[]){0, 1, 2}, 3);
}

/* A socket takes a part of what is written: what it has taken of a line is ended, and the line comes again. */
static void test_many_to_a_socket(void **state)
{
        int fds[2], room = 4096;

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, fds[1]);
        write_many(sink, 100);
        int got_through = whole_lines(read_all(fds[0]), 100);
        assert_in_range(got_through, 1, MANY - 1);
        assert_int_equal(log_sink_dropped(sink), MANY - got_through);
        log_sink_close(sink);
        close(fds[0]);
        close(fds[1]);
}

static void test_path_too_long(void **state)
{
        char path[200];
        const struct log_sink_places places = {.journal = path};
        struct log_sink_state *sink = NULL;

        (void)state;
        memset(path, 'x', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(log_sink_open(LOG_DESTINATION_JOURNAL, &places, &sink), -ENAMETOOLONG);
        assert_null(sink);
}

static int log_after_closing(struct log_sink_state *sink)
{
        int used[LOG_SINK_FDS_MAX];
        size_t count = log_sink_fds(sink, used);

        for (size_t i = 0; i < count; i++)
                if (used[i] > 2 && fcntl(used[i], F_GETFD) != FD_CLOEXEC)
                        return 1;
        if (fds_close_all_except(used, count) != 0)
                return 2;
        write_record(sink, "from the child");
        return log_sink_dropped(sink) == 0 ? 0 : 3;
}

static void test_child_keeps_the_sink(void **state)
{
        int fds[2], status = 0;

        (void)state;
        assert_int_equal(pipe(fds), 0);
        struct log_sink_state *sink = open_sink(LOG_DESTINATION_STDERR, fds[1]);
        pid_t pid = fork();
        if (pid == 0)
                _exit(log_after_closing(sink));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_string_equal(read_all(fds[0]), "preforkd: from the child\n");
        log_sink_close(sink);
        close(fds[0]);
        close(fds[1]);
}

/* By way of the façade, as the daemon does. */
static void test_behind_the_facade(void **state)
{
        _cleanup_(fd_closep) int journald = bind_daemon();
        struct log_sink_state *state_of_sink = open_sink(LOG_DESTINATION_JOURNAL, 0);
        const struct log_sink sink = log_sink_get(state_of_sink);

        (void)state;
        log_set_sink(&sink, LOG_INFO);
        log_warning("number %d", 5);
        log_debug("not wanted");
        log_set_sink(NULL, LOG_INFO);
        assert_contains(receive_one(journald, NULL), "\nMESSAGE=number 5\n");
        assert_int_equal(receive_rest(journald), 0);
        log_sink_close(state_of_sink);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_journal_fields),
                cmocka_unit_test(test_journal_connection),
                cmocka_unit_test(test_journal_several_lines),
                cmocka_unit_test(test_journal_that_does_not_read),
                cmocka_unit_test(test_slow_reader_gets_records),
                cmocka_unit_test(test_syslog_form),
                cmocka_unit_test(test_syslogd_goes_and_comes_back),
                cmocka_unit_test(test_syslogd_not_there_yet),
                cmocka_unit_test(test_auto),
                cmocka_unit_test(test_adopts_what_is_unreported),
                cmocka_unit_test(test_file),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_many_without_room),
                cmocka_unit_test(test_many_to_a_socket),
                cmocka_unit_test(test_path_too_long),
                cmocka_unit_test(test_child_keeps_the_sink),
                cmocka_unit_test(test_behind_the_facade),
        };
        return cmocka_run_group_tests(tests, sink_setup, sink_teardown);
}
