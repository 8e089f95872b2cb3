/* The pressure of late, from readings that are taken only when somebody wants to know. Pure.
 *
 * The kernel's own average lags by many seconds: a pool would have grown to its limit before it rises, and could not
 * grow again until long after it was over. What has been stalled between two readings says what is going on now. So
 * once there are readings this is the last one or two seconds; the first one, after a time without, is the kernel's
 * average, and the next ones cover what has passed since.
 *
 * Owned by master/pool/pressure_gauge, one for each resource. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pressure.h"

/* There is a new reading no more often than that: less time says nothing, and is what a burst of starts takes. */
#define PRESSURE_LOOK_MS 250

/* A reading that others are compared with. */
struct pressure_mark {
        uint64_t at_ms, stalled_us;
};

/* Zero-initialise. */
struct pressure_meter {
        uint64_t at_ms; /* of the last reading; 0: none */
        unsigned share; /* what it says, in 1/100 of a percent */
        struct pressure_mark older, newer;
};

/* True if it is time for another reading. */
bool pressure_meter_is_due(const struct pressure_meter *meter, uint64_t now_ms);

/* Take one in; whatever it says, the share is at most PRESSURE_ALL. */
void pressure_meter_note(struct pressure_meter *meter, uint64_t now_ms, const struct pressure_reading *reading);
