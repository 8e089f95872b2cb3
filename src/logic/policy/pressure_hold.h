/* What a pool remembers of the pressure that holds its growth back, and as text. Pure; written by
 * logic/policy/pressure_limit, in turns. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/pressure.h"

/* A resource as a turn knows it. */
struct pressure_now {
        uint64_t at_ms; /* when it was read; 0: it was not, or cannot be */
        unsigned share; /* in 1/100 of a percent */
};

/* What a pool remembers; zero-initialise. */
struct pressure_hold {
        bool holds;       /* growth may be held back … */
        bool told;        /* … and is; and was recorded */
        unsigned most;    /* the workers after the last turn in which none was missing, and the steps since: as many
                           * there may be */
        uint64_t seen_ms; /* holds: the reading to which the last step belongs */
        /* The last reading, for people. */
        enum pressure_resource resource;
        unsigned share, limit; /* in 1/100 of a percent */
};

#define PRESSURE_TEXT_MAX 64

/* "cpu pressure 87.30% > 60%". Returns `text`. */
const char *pressure_hold_text(const struct pressure_hold *hold, char text[static PRESSURE_TEXT_MAX]);
