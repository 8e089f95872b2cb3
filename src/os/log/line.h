/* Log records as lines: in words for people, or as JSON for programs that collect the output of containers.
 *
 * Owns nothing. For the sinks and the log process, which write such lines to stderr and to a file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_record;
struct text;

struct log_form {
        bool stamps; /* with the time */
        bool json;   /* an object a line */
};

/* Append the line for a record, its newline included, at most LOG_LINE_MAX bytes in all (os/log/text.h). Reads the
 * clock if there are stamps. 0 or -ENOMEM. */
int log_line_append(struct text *text, const struct log_record *record, const struct log_form *form);

/* The same as JSON, with the time unless `wall_ms` is 0; without the newline, and at most `max_bytes` long: the message
 * is cut, between two characters, as is a field of more than 1 KB. Bytes that are no UTF-8 become U+FFFD. `max_bytes`
 * must have room for the fields: 2 KB at most. 0 or -ENOMEM. */
int log_line_append_json(struct text *text, const struct log_record *record, uint64_t wall_ms, size_t max_bytes);
