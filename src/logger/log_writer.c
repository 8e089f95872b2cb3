#include "logger/log_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/log/file.h"
#include "os/log/text.h"

/* A disk that is full, or a directory that is away, is tried again so often at most, and only if there is something to
 * write. */
#define RETRY_MS 1000

static void fail(struct log_writer *writer, int *error, int value, const char *why)
{
        *error = value;
        writer->retry_ms = clock_now_ms() + RETRY_MS;
        snprintf(writer->why, sizeof(writer->why), "%s", why);
}

bool log_writer_open(struct log_writer *writer)
{
        _cleanup_(text_clear) struct text why = {0};
        int fd;

        int r = log_file_open(writer->path, &fd, &why);
        if (r < 0) {
                fail(writer, &writer->open_error, -r, why.length > 0 ? text_string(&why) : strerror(-r));
                return false;
        }
        fd_closep(&writer->fd);
        writer->fd = fd;
        writer->open_error = writer->write_error = 0; /* line_is_open stays: it may be the same file */
        return true;
}

static void drop(struct log_writer *writer, const char *bytes, size_t length)
{
        uint64_t lines = log_text_count_lines(bytes, length);

        writer->missing += lines;
        writer->dropped += lines;
}

/* How much of it was written. */
static size_t write_some(struct log_writer *writer, const char *bytes, size_t length)
{
        size_t written = 0;

        while (written < length) {
                ssize_t n = write(writer->fd, bytes + written, length - written);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        int error = n < 0 ? errno : ENOSPC;
                        fail(writer, &writer->write_error, error, strerror(error));
                        break;
                }
                written += (size_t)n;
        }
        if (written > 0)
                writer->line_is_open = bytes[written - 1] != '\n';
        return written;
}

/* Say in the file how many lines are missing. False: even that could not be written. */
static bool tell_missing(struct log_writer *writer)
{
        _cleanup_(text_clear) struct text text = {0};
        char message[96];

        snprintf(message, sizeof(message), "%" PRIu64 " log record%s dropped: the file could not be written",
                 writer->missing, writer->missing == 1 ? " was" : "s were");
        const struct log_record record = {.priority = LOG_WARNING, .message = message};
        int r = writer->line_is_open ? text_append(&text, "\n") : 0;
        if (r == 0)
                r = log_line_append(&text, &record, &writer->form);
        if (r < 0)
                return false;
        size_t written = write_some(writer, text_string(&text), text.length);
        if (written == text.length)
                writer->missing = 0;
        return written == text.length;
}

void log_writer_write(struct log_writer *writer, const char *bytes, size_t length)
{
        if (length == 0)
                return;
        if (!log_writer_writes(writer) && clock_now_ms() >= writer->retry_ms) {
                writer->write_error = 0;
                if (writer->fd < 0)
                        log_writer_open(writer);
        }
        if (!log_writer_writes(writer) || (writer->missing > 0 && !tell_missing(writer))) {
                drop(writer, bytes, length);
                return;
        }
        size_t written = write_some(writer, bytes, length);
        drop(writer, bytes + written, length - written);
}

void log_writer_close(struct log_writer *writer)
{
        fd_closep(&writer->fd);
}
