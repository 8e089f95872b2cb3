/* The scaling policy: how many workers to start and to retire, and why. Pure: numbers in, a decision out.
 *
 * Called by logic/policy/scaling, which gathers the numbers. The pool grows at once. It shrinks by the lowest idle
 * count within a spare_timeout: accept(2) is first-in-first-out between waiting workers, so no single worker of a
 * lightly loaded pool is ever idle for long.
 *
 * What must stay true: asked again with the result of its decision, the policy decides nothing more, and the thresholds
 * it published are not crossed. So recounting after publishing never spins, and an idle pool never wakes the master. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/config/config.h"
#include "logic/policy/adaptive.h"

/* min_spare is ignored (taken as 0) for static and ondemand, max_spare for static. If they conflict, max_workers takes
 * precedence over min_spare, and min_spare over max_spare: SIGTTOU lowers max_workers only. */
struct scale_limits {
        int scaling; /* enum scaling */
        unsigned min_spare, max_spare, start, max_workers;
        unsigned unit; /* workers come and go in groups of so many, the threads of a process; 0 means 1 */
        uint64_t spare_timeout_ms;
};

/* The pool at one moment. `total` is everything that counts against max_workers: starting, idle and busy workers, and
 * those whose request is being terminated. Retiring and detached workers are in no count: reload_surge and
 * max_recycling bound their number, and their places are free for their replacements. */
struct scale_input {
        uint64_t now_ms;
        unsigned idle;  /* in the idle set and not retiring */
        unsigned held;  /* of these, those that hold a connection until rate_limit lets it pass: spare, never surplus */
        unsigned whole; /* of the others, those in groups that are idle as a whole; without groups: all of them */
        unsigned starting;  /* forked and not ready yet */
        unsigned total;     /* everything that counts against max_workers, idle and starting included */
        unsigned queued;    /* connections waiting in the pool's listeners */
        unsigned low_water; /* the lowest idle count since the last reset_low_water */
        bool started;       /* false until the pool's first decision with may_fork */
        bool may_fork;      /* false during back-off, while paused, killed, or closing down with an empty queue */
        struct adaptive_advice advice; /* for adaptive; it stands for min_spare, max_spare and spare_timeout, within
                                        * which it was given */
};

/* What the policy remembers between calls; zero-initialise. */
struct scale_state {
        uint64_t shrink_at_ms; /* 0: no shrink timer is armed */
        uint64_t relief_at_ms; /* the episode ends then if there were enough idle workers until then; 0: there are not
                                * enough now */
        bool saturated;        /* inside an episode at max_workers with demand unmet */
};

struct scale_decision {
        unsigned start;        /* workers to fork now; the caller may fork fewer and ask again */
        unsigned retire;       /* idle workers to retire now; with groups: of groups that are idle as a whole, … */
        bool retire_any;       /* … or, if this is set, that have an idle worker: the others follow; then ask again at
                                * once, because how many are idle depends on which groups went */
        uint64_t shrink_at_ms; /* when to ask again: because of the surplus, to see whether the saturation is over, or
                                * what has come while workers start; 0: no timer */
        bool reset_low_water;  /* set the low-water mark to the present idle count, after the retirements */
        bool saturation_begins, saturation_ends; /* one warning an episode; never both */
        bool watch_listeners; /* no worker is idle or starting: a waiting connection must wake the master, which forks
                               * if there is room and otherwise learns of unmet demand */
        unsigned low_below;   /* publish: workers wake the master when idle falls below this; 0: they do not */
        unsigned high_above;  /* publish: … when idle rises above this; UINT32_MAX: they do not */
        char reason[96];      /* "spare 0 < 2, 4 queued"; "" when nothing is started or retired */
};

/* The pool's limits as the policy uses them, and as they are shown: max_workers is what can be reached, a multiple of
 * the unit, and nothing else is more. */
struct scale_limits scale_limits_of(const struct pool_config *pool);

/* How many workers are missing for the connections that wait, or in a static pool for its number: what the pool would
 * start now if it could, in whole groups and within max_workers. 0 while workers may not be forked. */
unsigned scale_policy_wants(const struct scale_limits *limits, const struct scale_input *input);

/* Decide. `state` is updated. Guarantees, whatever the input: start == 0 or retire == 0; workers are started only while
 * may_fork and never past max_workers; retire ≤ idle; after a retirement at least min_spare idle workers remain; both
 * are multiples of the unit. With a unit, a deficit is rounded up, and max_workers, a surplus and an excess are rounded
 * down: what is less than a whole group stays. A
 * surplus is retired only if no worker was started for a whole spare_timeout (a lowered max_workers does not wait).
 *
 * Call it on every wake-up of the pool, when a worker ends, when limits change, at shrink_at_ms, and when may_fork
 * becomes true again. */
struct scale_decision scale_policy_decide(const struct scale_limits *limits, const struct scale_input *input,
                                          struct scale_state *state);
