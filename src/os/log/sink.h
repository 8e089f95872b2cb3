/* Log sinks: where the records of base/log.h go, without ever waiting.
 *
 * Owns the sockets and descriptors of one destination, and the count of records that did not get through. master/ opens
 * one from the configuration and hands log_sink_get() to log_set_sink(); a worker inherits it by fork. What must stay
 * true: no call here waits for whoever reads the log, and none changes a descriptor that others share with us. What
 * does not fit is dropped, counted, and reported by a record of its own (`17 log records were dropped`) right after the
 * next record that gets through; after, not before, so that a reader who makes room for one record at a time gets
 * records and not reports about reports.
 *
 * SIGPIPE must be blocked or ignored: the reader of a pipe on stderr may be gone. SIGTTOU too, for terminals with
 * `stty tostop`. Reload: open the new sink, log_set_sink() it, close the old one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

enum log_destination {
        LOG_DESTINATION_AUTO, /* the journal when stderr is the journal, else stderr */
        LOG_DESTINATION_JOURNAL,
        LOG_DESTINATION_SYSLOG,
        LOG_DESTINATION_STDERR,
        LOG_DESTINATION_FILE, /* lines into the pipe of a log process; what it does not take, to stderr */
};

/* Do lines begin with the time? */
enum log_stamps {
        LOG_STAMPS_AUTO, /* unless the reader of stderr is the journal, which stamps them itself */
        LOG_STAMPS_YES,
        LOG_STAMPS_NO,
};

/* Where the destinations are, for tests; NULL and 0 mean the default. Paths are copied. */
struct log_sink_places {
        const char *journal; /* /run/systemd/journal/socket */
        const char *syslog;  /* /dev/log */
        int stderr_fd;       /* 2; borrowed, never closed and never changed */
        int file_fd;         /* LOG_DESTINATION_FILE: the pipe, non-blocking; borrowed */
};

struct log_sink_state;

/* Open a sink; `places` may be NULL. A journald or syslogd that is not there is no error: each record looks for it
 * anew, so that it may come, go and be restarted. Reads the environment (JOURNAL_STREAM). 0; -ENOMEM; -EMFILE, -ENFILE
 * (socket(2), open(2), pipe(2)); -ENAMETOOLONG (a path too long for unix(7)); -EBADF (stderr is not open). *ret is left
 * alone on failure. */
int log_sink_open(enum log_destination destination, const struct log_sink_places *places, struct log_sink_state **ret);

/* What log_set_sink() takes. It refers to `state`. */
struct log_sink log_sink_get(struct log_sink_state *state);

/* LOG_DESTINATION_FILE: while the log process cannot write the file, records go to stderr as well. */
void log_sink_set_failing(struct log_sink_state *state, bool failing);

/* LOG_DESTINATION_FILE: write a record to stderr alone, whatever its priority: about the file. */
void log_sink_tell_stderr(struct log_sink_state *state, const struct log_record *record);

/* Time stamps on lines, and lines as JSON, from the next one on; AUTO and words until then. The journal and syslog have
 * stamps and a form of their own. */
void log_sink_set_form(struct log_sink_state *state, enum log_stamps stamps, bool json);

/* The destination in use: never LOG_DESTINATION_AUTO. */
enum log_destination log_sink_destination(const struct log_sink_state *state);

/* Can records arrive at present? 0; -errno when nobody listens at the journal's or syslogd's socket, whose path is
 * stored in *ret_path then (the sink owns it). */
int log_sink_check(const struct log_sink_state *state, const char **ret_path);

/* Records dropped since the sink was opened, and by those it adopted. */
uint64_t log_sink_dropped(const struct log_sink_state *state);

/* Of those, the ones that no record has reported yet; and to count more of them, of a sink that is gone. */
uint64_t log_sink_unreported(const struct log_sink_state *state);
void log_sink_count_dropped(struct log_sink_state *state, uint64_t count);

/* On reload: count on from an older sink, and report what it has not reported yet. */
void log_sink_adopt(struct log_sink_state *state, const struct log_sink_state *older);

/* Write the descriptors the sink lives on to `fds`, for fds_close_all_except() in a child that goes on logging (stderr
 * itself may be among them). Returns how many. */
#define LOG_SINK_FDS_MAX 4
size_t log_sink_fds(const struct log_sink_state *state, int fds[LOG_SINK_FDS_MAX]);

/* Close and free; NULL is ignored. It must no longer be the sink of log_set_sink(). */
void log_sink_close(struct log_sink_state *state);
