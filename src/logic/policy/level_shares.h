/* Divides the thresholds that wake the master among the scoreboards of a pool. Pure.
 *
 * A worker compares the thresholds with the idle workers of its own board only. While a restart replaces workers there
 * are two boards or more, and what matters is the sum. So each board gets a share, such that the sum cannot cross a
 * threshold unless a board crosses its share. The reverse does not hold: a board may cross its share alone, and then
 * the master looks, and divides anew. With one board its share is the whole. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct level_share {
        /* Of a board: idle workers, and all that report in it. */
        uint32_t idle;
        unsigned workers;
        /* Set by level_shares_divide(). */
        uint32_t low_below, high_above;
};

/* The thresholds are those of turn_levels: 0, or UINT32_MAX, means that they wake nobody, and UINT32_MAX that low_below
 * always does. No board crosses its share already unless the sum crosses the whole. */
void level_shares_divide(struct level_share *shares, size_t count, uint32_t low_below, uint32_t high_above);
