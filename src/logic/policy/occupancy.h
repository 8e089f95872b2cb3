/* The occupancy of workers whose activity nobody reports (accounting = none), judged by the pool's listeners. Pure.
 *
 * A connection that waits would be accepted at once by any worker that is free. So while none waits, somebody is free;
 * and if one waits whenever the listeners are looked at, at times that come closer and closer (16 ms, 8 ms … 1 ms), all
 * are busy. Called by logic/policy/scaling, in a pool's turn. What must stay true: when nothing comes, nothing is
 * looked at; under load the looks are bounded, and come less often while a pool stays full. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum occupancy_phase {
        OCCUPANCY_FREE,     /* somebody is free; the master is woken when a connection waits */
        OCCUPANCY_SAMPLING, /* a connection waited: does one wait at the next looks, too? */
        OCCUPANCY_FULL,     /* one did: all are busy */
        OCCUPANCY_RESTING,  /* none waited: free, but the master is not woken for a moment */
};

/* What is remembered from turn to turn; zero-initialise. Times are in ms of the turn. */
struct occupancy {
        enum occupancy_phase phase;
        uint64_t look_at_ms;    /* when the next look is due; not in OCCUPANCY_FREE */
        uint64_t full_since_ms; /* OCCUPANCY_FULL: since then */
        bool was_full;          /* OCCUPANCY_SAMPLING: all were busy, and something has waited since */
        unsigned pause_ms;      /* the pause before that look */
        unsigned first_ms;      /* the first pause of the sampling; it doubles while the pool stays full */
        unsigned low_water;     /* fewest free workers since occupancy_reset_low_water() */
};

struct occupancy_view {
        unsigned free;       /* so many workers may be free */
        bool watch;          /* wake the master when a connection waits */
        uint64_t look_at_ms; /* when to look again; 0: not before something happens */
};

/* Look at the pool: `ready` workers whose activity is unknown, `fresh` of which became ready since full_since_ms, and
 * `queued` connections that wait. */
struct occupancy_view occupancy_look(struct occupancy *occupancy, uint64_t now_ms, unsigned ready, unsigned fresh,
                                     unsigned queued);

/* Of `free` workers, how many the pool may count as spare. Nobody knows how many of them really are, so a pool that is
 * quiet gets smaller step by step: not more than one and an eighth of those above `max_spare` at a time. */
unsigned occupancy_spare(unsigned free, unsigned max_spare);

/* Begin to look for the lowest number anew. */
void occupancy_reset_low_water(struct occupancy *occupancy, unsigned free);
