/* Adaptive scaling: how many idle workers a pool keeps, without thresholds. Pure: numbers in, advice out.
 *
 * accept(2) is first-in-first-out between waiting workers, so no single worker ever looks idle for long. What is idle
 * is a *level*: level k is busy while at least k connections are served or wait, and idle from then on until there are
 * as many again. A level keeps its worker until it has been idle for as long as the start of a worker is worth. That is
 * the rule of ski rental: whatever the load does, it costs at most twice what it would if the load had been known
 * before (tests/replay). The master looks a little later than that, for as long as a wake-up is worth: so levels that
 * follow each other closely go at one look.
 *
 * Spare workers beyond the highest level that is kept are started ahead of demand only if they earn what they cost. The
 * k-th one earns the wait of each connection that comes while k starts are under way or begin with it: how many that
 * are is counted whether there are spare workers or not. If starts are quick, a wait is worth nothing, and there are no
 * spare workers, unless the master is woken so often because no worker is idle that one is cheaper.
 *
 * Called by logic/policy/scaling before logic/policy/scale, which carries the advice out within the bounds of the
 * configuration. What must stay true: asked again with the result of its advice, it advises nothing more; the more a
 * start is worth, the more workers are kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/policy/worth.h"

#define ADAPTIVE_SPARES 32 /* the most spare workers that are started ahead of demand */
#define ADAPTIVE_NEVER_MS UINT64_MAX

/* What it remembers between calls; zero-initialise. */
struct adaptive_state {
        uint64_t since_ms; /* what is counted below was counted from then on; 0: never asked, and no level is known */
        uint64_t observed_ms;           /* before that, as far as it still counts */
        uint64_t uses[ADAPTIVE_SPARES]; /* how often the k-th spare worker had saved a wait; in 1/256 */
        uint64_t used_up;               /* how often no worker was idle; in 1/256 */
        unsigned spare;                 /* spare workers that were advised last */
        bool was_used_up;
        unsigned level;        /* the highest level that keeps its worker, … */
        uint64_t off_delay_ms; /* … for so long from when it was busy last: both for people */
};

struct adaptive_input {
        uint64_t now_ms;
        struct worth worth;
        unsigned idle, starting, total, queued; /* as in struct scale_input */
        unsigned min_spare, max_spare, max_workers;
        uint64_t max_spare_ms; /* more than max_spare workers may be idle for so long */
        bool may_fork;
        const uint64_t *left_ms; /* left_ms[k]: when level k + 1 was busy last; 0: never */
        size_t levels;           /* length of the array; levels above it were never busy */
};

struct adaptive_advice {
        unsigned spare;          /* so many workers should be idle or starting, beside those for what waits */
        uint64_t spare_until_ms; /* when the last of them will have earned less than it costs, if nothing happens; 0:
                                  * the configuration wants all of them */
        unsigned surplus;        /* so many idle workers are kept by no level */
        uint64_t look_at_ms; /* when the next level may have been idle for long enough; only if some worker is idle */
        uint64_t look_ms; /* while workers start and none is idle: look again after this, because the connections that
                           * come meanwhile wake nobody; 0: starts are quick */
        unsigned level;   /* surplus > 0: the lowest level that is not kept … */
        uint64_t level_idle_ms; /* … has been idle for so long, which is … */
        uint64_t allowed_ms;    /* … as long as this at least */
        bool by_bound;          /* because more than max_spare workers were idle for max_spare_ms */
        unsigned reached; /* the caller notes in left_ms that the level of this number is busy: connections wait for
                           * workers up to it, or no level is known yet; 0: nothing is to be noted */
};

/* Advise. `state` is updated. Guarantees, whatever the input: spare ≥ min_spare where max_workers allows it; surplus ≤
 * idle, and the idle workers that are left are at least `spare` or all there are. Call it as often as
 * scale_policy_decide(), before it. */
struct adaptive_advice adaptive_advise(const struct adaptive_input *input, struct adaptive_state *state);
