/* Since when connections wait that a pool cannot start a worker for. Pure; called by logic/policy/scaling.
 *
 * The kernel does not say how long the first connection of a queue has waited. But those that wait at one moment have
 * been accepted when as many more were accepted; so what waits then came later, and how much later follows from how
 * fast connections are accepted. A pool that serves nobody accepts none: its first connection has waited from the
 * beginning. */
#pragma once

#include <stdint.h>

/* Zero-initialise. */
struct waiting {
        unsigned wants;      /* workers that are missing for them; 0: none waits */
        uint64_t begun_ms;   /* some have waited since then, whichever */
        uint64_t since_ms;   /* about when the first of them came */
        uint64_t mark_ms;    /* at this moment … */
        uint64_t mark_count; /* … so many waited … */
        uint64_t accepted;   /* … and so many had been accepted */
};

/* `wants` workers are missing, `queued` connections wait, and `accepted` have been accepted since the pool began. */
void waiting_follow(struct waiting *waiting, uint64_t now_ms, unsigned wants, unsigned queued, uint64_t accepted);
