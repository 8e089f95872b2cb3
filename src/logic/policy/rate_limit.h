/* How often something may happen: a budget that is spent and grows back, one unit a millisecond. Pure.
 *
 * An event that may happen n times a second costs 1000 / n. For a configured rate the unit is the microsecond. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialise: nothing is spent. */
struct rate_limit {
        uint64_t spent;
        uint64_t at_ms; /* when that was so */
};

/* Spend `cost` at `now_ms`, of a budget of `burst` units. False: not enough is left, and nothing was spent. */
bool rate_limit_take(struct rate_limit *limit, uint64_t now_ms, uint64_t burst, uint64_t cost);

/* Is one more event within the rate at `now_us`? One that counts as `weight` is never too heavy for a whole budget. */
struct rate;
bool rate_limit_admits(struct rate_limit *limit, uint64_t now_us, const struct rate *rate, uint64_t weight);

/* Give back units that were spent. */
void rate_limit_give(struct rate_limit *limit, uint64_t units);

/* What is left of a budget of `burst` units at `now_ms`. */
uint64_t rate_limit_left(struct rate_limit *limit, uint64_t now_ms, uint64_t burst);
