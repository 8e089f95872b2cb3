/* One record of the log as a line for people. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct ctl_record {
        uint64_t at_us;  /* microseconds since 1970 */
        int priority;    /* LOG_EMERG … LOG_DEBUG */
        const char *pid; /* "" where it is unknown */
        const char *message;
};

/* Append `Nov 21 17:00:00.123 preforkd[4711]: warning: pool www: saturated: …`, in local time and with a newline. What
 * the message contains stays on the line and cannot control the terminal. 0 or -ENOMEM. */
int ctl_record_print(const struct ctl_record *record, bool colours, struct text *text);
