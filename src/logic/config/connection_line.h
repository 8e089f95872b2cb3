/* The line of connection_log: the text of connection_log_format, with the fields of a record in it.
 *
 * A field is its name in braces (base/connection_record has them; and {pool}); `{{` and `}}` are braces. What is not
 * known of a connection is `-`. The option is checked by it (option_line_format), the master logs by it. */
#pragma once

#include <stddef.h>

struct connection_field;
struct connection_record;
struct text;

/* What it is if the option is not set: KEY=VALUE, which analysers of logs know. */
#define CONNECTION_LINE_DEFAULT                                                                                        \
        "connection pool={pool} listener={listener} client={client} client_port={client_port} proxy={proxy} "          \
        "pid={pid} wait_ms={wait_ms} duration_ms={duration_ms} bytes_in={bytes_in} bytes_out={bytes_out} "             \
        "rtt_us={rtt_us} status={status} signal={signal} cpu_us={cpu_us} reason={reason}"

/* 0; -EINVAL with what is wrong in `error`; -ENOMEM. */
int connection_line_check(const char *format, struct text *error);

/* A format, read once for many lines: text and fields by turns. Zero-initialise; end with connection_line_clear(). */
struct connection_line_piece {
        const char *text; /* of the format, or the pool's name; NULL: it is a field */
        size_t length;
        const struct connection_field *field;
};

struct connection_line {
        struct connection_line_piece *pieces;
        size_t count;
};

/* Read a format that has passed the check, for the records of that pool; both are borrowed. 0 or -ENOMEM. */
int connection_line_read(struct connection_line *line, const char *format, const char *pool);

/* Append the line for a record. 0 or -ENOMEM. */
int connection_line_append(struct text *text, const struct connection_line *line,
                           const struct connection_record *record);

void connection_line_clear(struct connection_line *line);
