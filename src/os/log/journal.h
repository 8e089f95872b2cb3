/* The journal's native protocol, as its page documents it (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
 *
 * Owns nothing; for log_sink.c. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#define LOG_JOURNAL_PATH "/run/systemd/journal/socket"

struct log_record;
struct text;

/* Append the datagram for a record. MESSAGE has the same prefix as in text, so that journalctl's default output says
 * which pool a line is about; the fields are there besides. 0 or -ENOMEM. */
int log_journal_format(struct text *text, const struct log_record *record);

/* True if the file is the stream that `journal_stream` (the value of JOURNAL_STREAM, `device:inode`, or NULL) names:
 * whoever redirected it elsewhere keeps the variable, so the variable alone proves nothing (systemd.exec(5)). */
bool log_journal_is_stream(const struct stat *status, const char *journal_stream);
