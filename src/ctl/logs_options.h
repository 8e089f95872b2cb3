/* What `preforkctl logs` is asked to show. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/text.h"

#define CTL_LOGS_ALL UINT64_MAX

struct ctl_logs_options {
        const char *pool;  /* borrowed from the arguments; NULL: records of all pools and of none */
        bool follow;       /* go on with what comes */
        uint64_t lines;    /* the newest so many; CTL_LOGS_ALL */
        uint64_t since_us; /* microseconds since 1970; 0: from the beginning */
        int priority;      /* of this level and more severe: LOG_EMERG … LOG_DEBUG */
};

/* Parse the words behind `logs`, which end in NULL, as seen at `now`. Without -n the newest 10 are shown, and all of
 * them with --since. 0; -EINVAL: usage, said in `error`; -ENOMEM. */
int ctl_logs_options_parse(char *const *arguments, time_t now, struct ctl_logs_options *ret, struct text *error);
