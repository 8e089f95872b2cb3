/* Back-off of a pool whose workers fail to start: doubling delays, reset by one success. Pure.
 *
 * One a pool, owned by master/; the reaper reports deaths, the scaler asks backoff_active() before it forks. What must
 * stay true: a pool that fails forks at most once per restart_delay_min, whatever else in it succeeds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialise. */
struct backoff {
        unsigned failures;      /* in a row */
        uint64_t not_before_ms; /* no worker is started before this; 0: no delay */
        uint64_t shortest_ms;   /* what not_before_ms would be after a first failure: a success shortens to this */
        bool succeeded;         /* a request of the pool succeeded since the last counted failure */
};

/* How a worker ended, as far as back-off is concerned. */
struct backoff_death {
        bool by_our_hand;          /* retired, recycled or killed by the master */
        bool by_sigkill;           /* somebody else's hand, the OOM killer's for one: no fault of the handler */
        bool was_ready;            /* it had reported ready */
        bool had_served;           /* at least one of its requests had ended */
        bool pool_succeeded_since; /* another request of the pool ended well since this worker was forked */
};

/* True if such a death counts as a failure to start (DESIGN: Back-off): a client that crashes handlers cannot throttle
 * a pool that serves others. A worker that misses start_timeout is killed by our hand, but is a failure all the same:
 * the master calls backoff_failure() for it without asking here. */
bool backoff_is_failure(const struct backoff_death *death);

/* A failure now. Returns the delay in ms that holds from now on: min_ms, doubled with every failure in a row, at most
 * max_ms. Failures that fall into a delay already running do not lengthen it (a batch of workers that fails together is
 * one failure); what is left of it is returned. min_ms == 0: never a delay. */
uint64_t backoff_failure(struct backoff *backoff, uint64_t now_ms, uint64_t min_ms, uint64_t max_ms);

/* A worker proved itself. The next failure starts at min_ms again, and a delay that is running is cut to min_ms from
 * the failure that began it; it is not dropped, or a healthy old worker would let a pool whose new ones fail fork
 * without a pause. */
void backoff_success(struct backoff *backoff);

/* True while no worker may be started (until not_before_ms, which a success may have brought nearer). */
bool backoff_active(const struct backoff *backoff, uint64_t now_ms);
