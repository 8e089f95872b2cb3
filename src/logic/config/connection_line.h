/* The line of connection_log: the text of connection_log_format, with the fields of a record in it.
 *
 * A field is its name in braces (base/connection_record has them; and {pool}); `{{` and `}}` are braces. What is not
 * known of a connection is `-`. The option is checked by it (option_line_format), the master logs by it. */
#pragma once

struct connection_record;
struct text;

/* What it is if the option is not set: KEY=VALUE, which analysers of logs know. */
#define CONNECTION_LINE_DEFAULT                                                                                        \
        "connection pool={pool} listener={listener} client={client} client_port={client_port} proxy={proxy} "          \
        "pid={pid} wait_ms={wait_ms} duration_ms={duration_ms} bytes_in={bytes_in} bytes_out={bytes_out} "             \
        "rtt_us={rtt_us} status={status} signal={signal} cpu_us={cpu_us} reason={reason}"

/* 0; -EINVAL with what is wrong in `error`; -ENOMEM. */
int connection_line_check(const char *format, struct text *error);

/* Append the line for a record of that pool; `format` has passed the check. 0 or -ENOMEM. */
int connection_line_append(struct text *text, const char *format, const char *pool,
                           const struct connection_record *record);
