/* How often workers may wake the master: a burst at once, then a turn a millisecond on the average, looked at every few
 * milliseconds. Pure.
 *
 * One a pool, kept beside its pipe. What must stay true: whatever workers write, a pool takes no more turns for it than
 * that; a pool that is quiet again is answered at once; a storm is told once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "logic/policy/rate_limit.h"

#define WAKE_LIMIT_BURST 100     /* turns */
#define WAKE_LIMIT_PAUSE_MS 5    /* for so long nobody listens when they are used up */
#define WAKE_LIMIT_TELL_MS 1000  /* a storm that lasts so long is told */
#define WAKE_LIMIT_OVER_MS 60000 /* so long after its last pause it is over, and another one is told again */

/* Zero-initialise. */
struct wake_limit {
        struct rate_limit rate;
        uint64_t since_ms; /* the first pause of those that follow each other closely */
        uint64_t last_ms;  /* the last pause; 0: there was none */
        bool told;         /* during the present storm */
};

struct wake_verdict {
        bool pause; /* listen to no wake-up for WAKE_LIMIT_PAUSE_MS */
        bool tell;
};

/* Workers have woken the master at `now_ms`, for one turn. */
struct wake_verdict wake_limit_note(struct wake_limit *limit, uint64_t now_ms);
