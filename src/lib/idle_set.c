#include "lib/idle_set.h"

static uint64_t bit_of(uint32_t index)
{
        return 1ULL << (index % 64);
}

void idle_set_add(struct prefork_scoreboard *board, uint32_t index)
{
        atomic_fetch_or(&board->idle[index / 64], bit_of(index));
}

bool idle_set_remove(struct prefork_scoreboard *board, uint32_t index)
{
        return atomic_fetch_and(&board->idle[index / 64], ~bit_of(index)) & bit_of(index);
}

bool idle_set_has(const struct prefork_scoreboard *board, uint32_t index)
{
        return atomic_load(&board->idle[index / 64]) & bit_of(index);
}

uint32_t idle_set_count(const struct prefork_scoreboard *board)
{
        uint32_t limit = atomic_load_explicit(&board->slot_limit, memory_order_relaxed);
        uint32_t count = 0;

        /* A bad worker may have overwritten the limit; it must not lead past the end of the set. */
        if (limit > PREFORK_SCOREBOARD_SLOTS)
                limit = PREFORK_SCOREBOARD_SLOTS;
        for (uint32_t word = 0; word < (limit + 63) / 64; word++)
                count += (uint32_t)__builtin_popcountll(atomic_load(&board->idle[word]));
        return count;
}
