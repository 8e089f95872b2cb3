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

#define STDERR_DEFAULT 2

struct log_sink_state {
        enum log_destination destination;
        struct log_datagram datagram; /* journal and syslog */
        struct log_stderr stderr_log;
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

static int open_destination(struct log_sink_state *state, int stderr_fd, const char *journal_path,
                            const char *syslog_path)
{
        switch (state->destination) {
        case LOG_DESTINATION_JOURNAL:
                return log_datagram_open(journal_path, &state->datagram);
        case LOG_DESTINATION_SYSLOG:
                tzset(); /* reads /etc/localtime: now, not within a record */
                return log_datagram_open(syslog_path, &state->datagram);
        default:
                return log_stderr_open(stderr_fd, getenv("JOURNAL_STREAM"), &state->stderr_log);
        }
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
        state->stderr_log = (struct log_stderr){.fd = -1, .own_fd = -1, .pipe_fds = {-1, -1}};
        int r = open_destination(state, stderr_fd, journal_path, syslog_path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(state);
        return 0;
}

static int send_record(struct log_sink_state *state, const struct log_record *record)
{
        struct text *text = &state->text;
        int r;

        text_truncate(text);
        if (state->destination == LOG_DESTINATION_STDERR) {
                r = log_stderr_format(&state->stderr_log, text, record);
                return r < 0 ? r : log_stderr_write(&state->stderr_log, text->bytes, text->length);
        }
        if (state->destination == LOG_DESTINATION_JOURNAL)
                r = log_journal_format(text, record);
        else
                r = log_syslog_format(text, record, time(NULL));
        return r < 0 ? r : log_datagram_send(&state->datagram, text->bytes, text->length);
}

static void report_dropped(struct log_sink_state *state)
{
        char message[64];

        snprintf(message, sizeof(message), "%" PRIu64 " log record%s dropped", state->unreported,
                 state->unreported == 1 ? " was" : "s were");
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

struct log_sink log_sink_get(struct log_sink_state *state)
{
        return (struct log_sink){.write = sink_write, .context = state};
}

void log_sink_set_stamps(struct log_sink_state *state, enum log_stamps stamps)
{
        state->stderr_log.stamps =
                stamps == LOG_STAMPS_AUTO ? !state->stderr_log.journal_stream : stamps == LOG_STAMPS_YES;
}

enum log_destination log_sink_destination(const struct log_sink_state *state)
{
        return state->destination;
}

int log_sink_check(const struct log_sink_state *state, const char **ret_path)
{
        if (state->destination == LOG_DESTINATION_STDERR)
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
        const int all[] = {state->datagram.fd, stderr_log->fd, stderr_log->pipe_fds[0], stderr_log->pipe_fds[1]};
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
