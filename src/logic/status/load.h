/* How many workers of a pool were busy on average of late. Pure.
 *
 * The master has no tick at which it could count busy workers, so it notes how long all workers together have been busy
 * since the pool was made, whenever it is asked for the status. The difference of two notes is exact, however seldom
 * anybody asks, and whoever asks gets the same. */
#pragma once

#include <stdint.h>

#define LOAD_SAMPLES 16

/* Zero-initialise. */
struct load {
        struct {
                uint64_t time_ms, busy_ns;
        } samples[LOAD_SAMPLES];
        uint64_t count; /* ever noted */
};

/* Note for how long the workers were busy by now, all in all; notes that follow too closely are left out. */
void load_note(struct load *load, uint64_t now_ms, uint64_t busy_ns);

/* The average since the youngest note that is a second old. Where there is none that old, since the oldest; where all
 * are too old to say anything about the present, it is `busy_now`: how many are busy. */
double load_average(const struct load *load, uint64_t now_ms, uint64_t busy_ns, unsigned busy_now);
