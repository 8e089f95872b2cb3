#include "logic/policy/level_shares.h"

/* `part` of `whole`, of `amount`; rounded down, so that shares never add up to more than the amount. */
static uint32_t part_of(uint64_t amount, uint64_t part, uint64_t whole)
{
        return whole > 0 ? (uint32_t)(amount * part / whole) : 0;
}

/* How many more idle workers than `low_below` there are is divided by how many each board has. */
static uint32_t low_share(const struct level_share *share, uint64_t idle, uint32_t low_below)
{
        if (low_below > idle)
                return low_below;
        return share->idle - part_of(idle - low_below, share->idle, idle);
}

/* How many more workers may be idle is divided by how many report in each board. */
static uint32_t high_share(const struct level_share *share, uint64_t idle, uint64_t workers, uint32_t high_above)
{
        if (high_above == UINT32_MAX)
                return high_above;
        return high_above < idle ? 0 : share->idle + part_of(high_above - idle, share->workers, workers);
}

void level_shares_divide(struct level_share *shares, size_t count, uint32_t low_below, uint32_t high_above)
{
        uint64_t idle = 0, workers = 0;

        for (size_t i = 0; i < count; i++) {
                idle += shares[i].idle;
                workers += shares[i].workers;
        }
        for (size_t i = 0; i < count; i++) {
                shares[i].low_below = count == 1 ? low_below : low_share(&shares[i], idle, low_below);
                shares[i].high_above = count == 1 ? high_above : high_share(&shares[i], idle, workers, high_above);
        }
}
