/* Helpers for the tests of the log sinks: a directory with a daemon's socket, records, and reading them back. The alarm
 * in sink_setup() ends a test whose sink waits. */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/log/sink.h"

#define RECORDS_ENOUGH 100000 /* more than any queue here holds */
#define READ_MAX 400000

static char directory[] = "/tmp/preforkd-test-XXXXXX";
static char socket_path[64];
static char received[READ_MAX + 1];

static inline int bind_daemon(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        memcpy(address.sun_path, socket_path, sizeof(socket_path));
        unlink(socket_path);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static inline struct log_sink_state *open_sink(enum log_destination destination, int stderr_fd)
{
        const struct log_sink_places places = {.journal = socket_path, .syslog = socket_path, .stderr_fd = stderr_fd};
        struct log_sink_state *state = NULL;

        assert_int_equal(log_sink_open(destination, &places, &state), 0);
        log_sink_set_form(state, LOG_STAMPS_NO, false);
        return state;
}

static inline void write_fields(struct log_sink_state *state, int priority, struct log_fields fields,
                                const char *message)
{
        const struct log_record record = {.priority = priority, .fields = fields, .message = message};
        const struct log_sink sink = log_sink_get(state);

        sink.write(sink.context, &record);
}

static inline void write_record(struct log_sink_state *state, const char *message)
{
        write_fields(state, LOG_INFO, (struct log_fields){0}, message);
}

/* Write until records are dropped, then until 17 are. Returns how many got through. */
static inline unsigned fill(struct log_sink_state *state)
{
        unsigned written = 0;

        while (written < RECORDS_ENOUGH && log_sink_dropped(state) < 17) {
                write_record(state, "a record like any other");
                written++;
        }
        assert_int_equal(log_sink_dropped(state), 17);
        return written - 17;
}

/* Everything that can be read now, as a string. */
static inline const char *read_all(int fd)
{
        size_t length = 0;
        ssize_t n;
        int available = 0;

        while (ioctl(fd, FIONREAD, &available) == 0 && available > 0 && length < READ_MAX) {
                n = read(fd, received + length, READ_MAX - length);
                assert_true(n > 0);
                length += (size_t)n;
        }
        received[length] = '\0';
        return received;
}

/* One datagram, as a string; "" if there is none. */
static inline const char *receive_one(int fd, size_t *ret_length)
{
        ssize_t n = recv(fd, received, READ_MAX, MSG_DONTWAIT);

        received[n > 0 ? n : 0] = '\0';
        if (ret_length)
                *ret_length = n > 0 ? (size_t)n : 0;
        return received;
}

static inline unsigned receive_rest(int fd)
{
        unsigned count = 0;

        while (*receive_one(fd, NULL))
                count++;
        return count;
}

static inline void assert_contains(const char *text, const char *part)
{
        if (!strstr(text, part))
                fail_msg("no `%s` in `%.500s`", part, text);
}

static inline void assert_ends_with(const char *text, const char *end)
{
        size_t length = strlen(text), end_length = strlen(end);

        if (length < end_length || !text_equal(text + length - end_length, end))
                fail_msg("no `%s` at the end of `%.500s`", end, text + (length > 200 ? length - 200 : 0));
}

static inline int sink_setup(void **state)
{
        (void)state;
        signal(SIGPIPE, SIG_IGN);
        unsetenv("JOURNAL_STREAM");
        alarm(100);
        if (!mkdtemp(directory) || chmod(directory, 0755) < 0)
                return -1;
        snprintf(socket_path, sizeof(socket_path), "%s/log", directory);
        return 0;
}

static inline int sink_teardown(void **state)
{
        (void)state;
        unlink(socket_path);
        return rmdir(directory);
}
