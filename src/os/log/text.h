/* Log records as lines of text: what all sinks have in common, and preforkctl, which shows such records.
 *
 * Owns nothing. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct log_record;
struct text;

/* What a level is called at the beginning of a line: "error: ", "warning: ", "debug: ", or "" for those between. */
const char *log_text_level(int priority);

/* Append `pool www: worker 4711: file.conf:12: ` as far as the record has it. 0 or -ENOMEM. */
int log_text_append_prefix(struct text *text, const struct log_record *record);

/* Append `2026-11-21T17:00:00.123+01:00 `: local time as in ISO 8601, which sorts as text, with milliseconds and the
 * zone, so that a line means one moment wherever it is read; 1970 began at `wall_ms` 0. Call tzset(3) before: this
 * reads no file. 0 or -ENOMEM. */
int log_text_append_time(struct text *text, uint64_t wall_ms);

/* Append `string` so that it stays on its line and cannot speak to a terminal: a newline becomes `\n`, other control
 * characters but the tab become `\xNN`. 0 or -ENOMEM. */
int log_text_append_line(struct text *text, const char *string);

/* Append the line for a record, its newline included, at most LOG_LINE_MAX bytes in all: the time unless `wall_ms` is
 * 0, `preforkd: `, the level, the prefix, the message. 0 or -ENOMEM. */
#define LOG_LINE_MAX 4096 /* PIPE_BUF: a write to a pipe is whole */
int log_text_append_record(struct text *text, const struct log_record *record, uint64_t wall_ms);

/* The lines that end within the bytes. */
size_t log_text_count_lines(const char *bytes, size_t length);

/* Cut the text to `max_bytes` at most, between two characters of UTF-8. */
void log_text_cut(struct text *text, size_t max_bytes);
