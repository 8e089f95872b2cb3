#include "os/log/sink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/log/datagram.h"
#include "os/log/journal.h"
#include "os/log/stderr.h"
#include "os/log/syslog.h"
#include "os/log/text.h"

#define STDERR_DEFAULT 2

struct log_sink_state {
        enum log_destination destination;
        struct log_datagram datagram; /* journal and syslog */
        struct log_stderr stderr_log;
        struct log_stderr file; /* LOG_DESTINATION_FILE */
        bool file_is_failing;
        struct text text; /* the record being sent; kept, so that its memory is */
        uint64_t dropped;
        uint64_t unreported; /* of those, since the last report */
};

static enum log_destination choose(enum log_destination wanted, int stderr_fd, const char *journal_path)
{
        struct stat status;

        if (wanted != LOG_DESTINATION_AUTO)
                return wanted;
        if (fstat(stderr_fd, &status) == 0 && log_journal_is_stream(&status, getenv("JOURNAL_STREAM")) &&
            access(journal_path, W_OK) == 0)
                return LOG_DESTINATION_JOURNAL;
        return LOG_DESTINATION_STDERR;
}

static int open_destination(struct log_sink_state *state, int stderr_fd, int file_fd, const char *journal_path,
                            const char *syslog_path)
{
        switch (state->destination) {
        case LOG_DESTINATION_JOURNAL:
                return log_datagram_open(journal_path, &state->datagram);
        case LOG_DESTINATION_SYSLOG:
                tzset(); /* reads /etc/localtime: now, not within a record */
                return log_datagram_open(syslog_path, &state->datagram);
        case LOG_DESTINATION_FILE:
                log_stderr_of_pipe(file_fd, &state->file);
                break;
        default:
                break;
        }
        return log_stderr_open(stderr_fd, getenv("JOURNAL_STREAM"), &state->stderr_log);
}

int log_sink_open(enum log_destination destination, const struct log_sink_places *places, struct log_sink_state **ret)
{
        const char *journal_path = places && places->journal ? places->journal : LOG_JOURNAL_PATH;
        const char *syslog_path = places && places->syslog ? places->syslog : LOG_SYSLOG_PATH;
        int stderr_fd = places && places->stderr_fd > 0 ? places->stderr_fd : STDERR_DEFAULT;

        _cleanup_(freep) struct log_sink_state *state = calloc(1, sizeof(*state));
        if (!state)
                return -ENOMEM;
        state->destination = choose(destination, stderr_fd, journal_path);
        state->datagram.fd = -1;
        state->stderr_log = state->file = (struct log_stderr){.fd = -1, .own_fd = -1, .pipe_fds = {-1, -1}};
        int r = open_destination(state, stderr_fd, places ? places->file_fd : -1, journal_path, syslog_path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(state);
        return 0;
}

static int send_line(struct log_stderr *log, struct text *text, const struct log_record *record)
{
        text_truncate(text);
        int r = log_stderr_format(log, text, record);
        return r < 0 ? r : log_stderr_write(log, text->bytes, text->length);
}

/* A record that the log process does not take goes to stderr, and so does each while the file cannot be written. But
 * not to a file: if a disk does not answer, that one may be on it. */
static int send_to_file(struct log_sink_state *state, const struct log_record *record)
{
        int r = send_line(&state->file, &state->text, record);

        if (state->file_is_failing || (r < 0 && !state->stderr_log.is_file))
                send_line(&state->stderr_log, &state->text, record);
        return r;
}

static int send_record(struct log_sink_state *state, const struct log_record *record)
{
        struct text *text = &state->text;
        int r;

        text_truncate(text);
        if (state->destination == LOG_DESTINATION_STDERR)
                return send_line(&state->stderr_log, text, record);
        if (state->destination == LOG_DESTINATION_FILE)
                return send_to_file(state, record);
        if (state->destination == LOG_DESTINATION_JOURNAL)
                r = log_journal_format(text, record);
        else
                r = log_syslog_format(text, record, time(NULL));
        return r < 0 ? r : log_datagram_send(&state->datagram, text->bytes, text->length);
}

static void report_dropped(struct log_sink_state *state)
{
        bool had_stderr = state->destination == LOG_DESTINATION_FILE && !state->stderr_log.is_file;
        char message[96];

        snprintf(message, sizeof(message), "%" PRIu64 " log record%s dropped%s", state->unreported,
                 state->unreported == 1 ? " was" : "s were", had_stderr ? " here; stderr had them" : "");
        const struct log_record report = {.priority = LOG_WARNING, .message = message};
        if (send_record(state, &report) == 0)
                state->unreported = 0;
}

static void sink_write(void *context, const struct log_record *record)
{
        struct log_sink_state *state = context;

        if (send_record(state, record) < 0) {
                state->dropped++;
                state->unreported++;
        } else if (state->unreported > 0) {
                report_dropped(state);
        }
}

/* Write whole lines. How many have got through. */
static size_t send_chunk(struct log_stderr *log, const char *bytes, size_t length)
{
        ssize_t n = log_stderr_write_some(log, bytes, length);

        return n > 0 ? log_text_count_lines(bytes, (size_t)n) : 0;
}

/* Write the lines of the records in as few writes as whole lines fit into. How many have got through; none of those
 * behind them has. */
static size_t send_lines(struct log_stderr *log, struct text *text, const struct log_record *records, size_t count)
{
        size_t sent = 0;

        text_truncate(text);
        for (size_t i = 0; i < count; i++) {
                size_t before = text->length;
                if (log_stderr_format(log, text, &records[i]) < 0) {
                        text_cut(text, before);
                        break;
                }
                if (text->length <= LOG_LINE_MAX)
                        continue;
                sent += send_chunk(log, text->bytes, before);
                if (sent < i)
                        return sent;
                memmove(text->bytes, text->bytes + before, text->length - before);
                text_cut(text, text->length - before);
        }
        return sent + send_chunk(log, text_string(text), text->length);
}

/* Lines are written together where each of them goes to one place. What does not get through so goes on one by one. */
static void sink_write_many(void *context, const struct log_record *records, size_t count)
{
        struct log_sink_state *state = context;
        size_t sent = 0;

        if (state->destination == LOG_DESTINATION_STDERR)
                sent = send_lines(&state->stderr_log, &state->text, records, count);
        else if (state->destination == LOG_DESTINATION_FILE && !state->file_is_failing)
                sent = send_lines(&state->file, &state->text, records, count);
        if (sent == count && state->unreported > 0)
                report_dropped(state);
        for (; sent < count; sent++)
                sink_write(state, &records[sent]);
}

struct log_sink log_sink_get(struct log_sink_state *state)
{
        return (struct log_sink){.write = sink_write, .write_many = sink_write_many, .context = state};
}

void log_sink_set_failing(struct log_sink_state *state, bool failing)
{
        state->file_is_failing = failing;
}

void log_sink_tell_stderr(struct log_sink_state *state, const struct log_record *record)
{
        if (state->destination == LOG_DESTINATION_FILE)
                send_line(&state->stderr_log, &state->text, record);
}

void log_sink_set_form(struct log_sink_state *state, enum log_stamps stamps, bool json)
{
        bool at_stderr = stamps == LOG_STAMPS_AUTO ? !state->stderr_log.journal_stream : stamps == LOG_STAMPS_YES;

        state->file.form = (struct log_form){.stamps = stamps != LOG_STAMPS_NO, .json = json};
        state->stderr_log.form = (struct log_form){.stamps = at_stderr, .json = json};
}

enum log_destination log_sink_destination(const struct log_sink_state *state)
{
        return state->destination;
}

int log_sink_check(const struct log_sink_state *state, const char **ret_path)
{
        if (state->destination == LOG_DESTINATION_STDERR || state->destination == LOG_DESTINATION_FILE)
                return 0;
        int r = log_datagram_check(&state->datagram);
        if (r < 0)
                *ret_path = state->datagram.address.sun_path;
        return r;
}

uint64_t log_sink_dropped(const struct log_sink_state *state)
{
        return state->dropped;
}

uint64_t log_sink_unreported(const struct log_sink_state *state)
{
        return state->unreported;
}

void log_sink_count_dropped(struct log_sink_state *state, uint64_t count)
{
        state->dropped += count;
        state->unreported += count;
}

void log_sink_adopt(struct log_sink_state *state, const struct log_sink_state *older)
{
        state->dropped += older->dropped;
        state->unreported += older->unreported;
}

size_t log_sink_fds(const struct log_sink_state *state, int fds[LOG_SINK_FDS_MAX])
{
        const struct log_stderr *stderr_log = &state->stderr_log;
        const int all[] = {state->datagram.fd, state->file.fd, stderr_log->fd, stderr_log->pipe_fds[0],
                           stderr_log->pipe_fds[1]};
        size_t count = 0;

        for (size_t i = 0; i < ELEMENTS(all) && count < LOG_SINK_FDS_MAX; i++)
                if (all[i] >= 0)
                        fds[count++] = all[i];
        return count;
}

void log_sink_close(struct log_sink_state *state)
{
        if (!state)
                return;
        log_datagram_close(&state->datagram);
        log_stderr_close(&state->stderr_log);
        text_clear(&state->text);
        free(state);
}
