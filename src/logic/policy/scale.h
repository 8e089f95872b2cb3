/* The scaling policy: how many workers to start and to retire, and why. Pure: numbers in, a decision out.
 *
 * logic/policy/scaling gathers the numbers and asks. Growth is answered at once; shrinking goes by the lowest
 * idle count of a whole spare_timeout, because accept(2) is first-in-first-out between waiting workers and so no worker
 * of a lightly loaded pool ever looks long idle.
 *
 * What must stay true: asked again with what its decision led to, the policy has nothing more to say, and the
 * thresholds it published are not crossed. So recounting after publishing never spins, and an idle pool never wakes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/config/config.h"

/* min_spare is without meaning (and taken as 0) for static and ondemand, max_spare for static. Where they disagree,
 * max_workers wins over min_spare and min_spare over max_spare: SIGTTOU lowers max_workers alone. */
struct scale_limits {
        int scaling; /* enum scaling */
        unsigned min_spare, max_spare, start, max_workers;
        uint64_t spare_timeout_ms;
};

/* What the pool looks like at one moment. `total` is everything that counts against max_workers: starting, idle and
 * busy workers, and those whose request is being terminated. Retiring and detached workers are in no count: what was
 * asked to go is bounded by who asked (reload_surge, max_recycling), and its place is free for the one that replaces
 * it. */
struct scale_input {
        uint64_t now_ms;
        unsigned idle;      /* in the idle set and not retiring */
        unsigned starting;  /* forked and not ready yet */
        unsigned total;     /* everything that counts against max_workers, idle and starting included */
        unsigned queued;    /* connections waiting in the pool's listeners */
        unsigned low_water; /* the lowest idle count since reset_low_water was last asked for */
        bool started;       /* false until the pool's first decision with may_fork */
        bool may_fork;      /* false while backing off, draining its last, or stopping */
};

/* What the policy remembers between calls; zero-initialise. */
struct scale_state {
        uint64_t shrink_at_ms; /* 0: no shrink timer is armed */
        uint64_t relief_at_ms; /* when the episode is over if no worker was missed until then; 0: none are idle */
        bool saturated;        /* inside an episode at max_workers with demand unmet */
};

struct scale_decision {
        unsigned start;        /* workers to fork now, or fewer if the policy is asked again soon */
        unsigned retire;       /* idle workers to retire now */
        uint64_t shrink_at_ms; /* when to ask again: because of the surplus, or to see whether the saturation is over;
                                * 0: no timer */
        bool reset_low_water;  /* set the low-water mark to the present idle count, after the retirements */
        bool saturation_begins, saturation_ends; /* one warning an episode; never both */
        bool watch_listeners; /* no worker is idle or starting: a waiting connection must wake the master, to fork
                               * (there is room) or to learn that demand is unmet (there is none) */
        unsigned low_below;   /* publish: workers wake the master when idle falls below this; 0: they do not */
        unsigned high_above;  /* publish: … when idle rises above this; UINT32_MAX: they do not */
        char reason[96];      /* "spare 0 < 2, 4 queued"; "" when nothing is started or retired */
};

/* The limits of a pool as the policy uses them. */
struct scale_limits scale_limits_of(const struct pool_config *pool);

/* Decide. `state` is updated. Guarantees, whatever the input: start == 0 or retire == 0; workers are started only while
 * may_fork and never past max_workers; retire ≤ idle; after a retirement at least min_spare idle workers remain. A
 * surplus is retired only if no worker was started for a whole spare_timeout (a lowered max_workers does not wait).
 *
 * To be asked on every wake-up of the pool, when a worker ends, when limits change, when shrink_at_ms is reached, and
 * when may_fork becomes true again. */
struct scale_decision scale_policy_decide(const struct scale_limits *limits, const struct scale_input *input,
                                          struct scale_state *state);
