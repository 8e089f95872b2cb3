/* Back-off of a pool whose workers fail to start: doubling delays, reset by one success. Pure.
 *
 * There is one per pool, in master/pool/health: worker exits and start timeouts are reported to it, and a pool's turn
 * starts no worker while it is active. What must stay true: a pool whose new workers fail forks at most one batch per
 * restart_delay_min, whatever else in it succeeds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "logic/policy/rate_limit.h"

/* Zero-initialise. */
struct backoff {
        unsigned failures;      /* in a row */
        uint64_t not_before_ms; /* no worker is started before this; 0: no delay */
        uint64_t shortest_ms;   /* not_before_ms as it would be after a first failure; a success shortens the delay to
                                 * this */
        bool succeeded;         /* a request of the pool succeeded since the last counted failure */
        struct rate_limit excused; /* exits that were not counted as failures, against requests that succeeded */
};

/* How a worker ended: what back-off needs to know. */
struct backoff_death {
        bool by_our_hand;          /* retired, recycled or killed by the master */
        bool by_others_hand;       /* killed (by the OOM killer, for example) or retired from outside: not its fault */
        bool was_ready;            /* it had reported ready */
        bool had_served;           /* at least one of its requests had ended */
        bool pool_succeeded_since; /* another request of the pool succeeded since this worker was forked */
};

/* True if such an exit counts as a failure to start. A client that crashes handlers must not throttle a pool that
 * serves others. An exit that is not the pool's fault is excused as long as such exits do not come much faster than
 * requests succeed: a hundred at once, ten a second, and one more for each request. Beyond that it counts, too:
 * otherwise a process that may kill workers could make the master fork without end. A worker that misses start_timeout
 * is killed by the master and still counts as a failure: the master calls backoff_failure() for it without asking
 * here. */
bool backoff_is_failure(struct backoff *backoff, const struct backoff_death *death, uint64_t now_ms);

/* Record a failure. Returns the delay in ms from now: min_ms, doubled with every failure in a row, at most max_ms. A
 * failure during a running delay does not lengthen it (a batch of workers that fail together is one failure) and
 * returns the rest of that delay. min_ms == 0: no delay. */
uint64_t backoff_failure(struct backoff *backoff, uint64_t now_ms, uint64_t min_ms, uint64_t max_ms);

/* Record that `requests` more requests have succeeded. The next failure starts at min_ms again, and a running delay is
 * shortened to min_ms after the failure that began it. The delay is not dropped: otherwise a healthy old worker would
 * let a pool whose new workers fail fork without a pause. */
void backoff_success(struct backoff *backoff, uint64_t requests);

/* True while no worker may be started, that is, before not_before_ms. */
bool backoff_active(const struct backoff *backoff, uint64_t now_ms);
