/* How many requests a second a pool has ended lately. Pure.
 *
 * The master has no tick at which it could count, so it notes the total whenever it happens to look at the pool or is
 * asked for its status, at most once a second, and goes by the notes of the last ten seconds. Where there is none that
 * young, the rate is the average since the last one: the window is given along, so that a reader can tell. */
#pragma once

#include <stdint.h>

#define REQUEST_RATE_SAMPLES 12

/* Zero-initialise. */
struct request_rate {
        struct {
                uint64_t time_ms, requests;
        } samples[REQUEST_RATE_SAMPLES];
        uint64_t count; /* ever noted */
};

struct request_rate_value {
        double per_second;
        uint64_t window_ms; /* 0: nothing is known yet */
};

/* Note the total so far; notes that follow too closely are left out. */
void request_rate_note(struct request_rate *rate, uint64_t now_ms, uint64_t requests);

/* The rate from a note to now. */
struct request_rate_value request_rate_of(const struct request_rate *rate, uint64_t now_ms, uint64_t requests);
