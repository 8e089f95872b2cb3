/* Records as a local syslogd takes them: RFC 3164, as syslog(3) sends it.
 *
 * Owns nothing; for log_sink.c. */
#pragma once

#include <time.h>

#define LOG_SYSLOG_PATH "/dev/log"

struct log_record;
struct text;

/* Append `<30>Feb  3 04:05:06 preforkd[123]: pool www: message`, 4,096 bytes at most. `now` is shown in local time.
 * 0 or -ENOMEM. */
int log_syslog_format(struct text *text, const struct log_record *record, time_t now);
