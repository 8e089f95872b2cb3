#include "base/connection_ring.h"

#include <assert.h>

#define CELLS CONNECTION_RING_CELLS

/* As often others may be faster, before a record is dropped. */
#define TRIES 100

/* What is in a cell. Any other number is the pid of the worker that has claimed it. */
#define FREE UINT64_C(0)
#define WHOLE UINT64_C(1) /* no worker has this pid, which is that of init or of the master */

static_assert((CELLS & (CELLS - 1)) == 0, "numbers go on over 2^32");

static uint64_t state_of(uint32_t number, uint64_t content)
{
        return (uint64_t)(number / CELLS) << 32 | content;
}

static uint32_t round_of(uint64_t state)
{
        return (uint32_t)(state >> 32);
}

/* The record is whole. The last that says so before the master looks, or the first that it does not look for. */
static bool must_wake(struct connection_ring *ring, uint32_t number)
{
        if (atomic_load(&ring->is_told) == 0 && atomic_exchange(&ring->is_told, 1) == 0)
                return true;
        return number - atomic_load_explicit(&ring->taken, memory_order_relaxed) == CELLS / 2;
}

bool connection_ring_put(struct connection_ring *ring, const struct connection_record *record)
{
        for (unsigned tries = 0; tries < TRIES; tries++) {
                uint32_t number = atomic_load(&ring->next), next = number;
                _Atomic uint64_t *state = &ring->states[number % CELLS];
                uint64_t found = state_of(number, FREE);

                if (atomic_compare_exchange_strong(state, &found, state_of(number, (uint32_t)record->worker))) {
                        atomic_compare_exchange_strong(&ring->next, &next, number + 1);
                        ring->records[number % CELLS] = *record;
                        atomic_store(state, state_of(number, WHOLE));
                        return must_wake(ring, number);
                }
                if (round_of(found) == number / CELLS)
                        atomic_compare_exchange_strong(&ring->next, &next, number + 1);
                else if (atomic_load(&ring->next) == number)
                        break; /* it has the record of the round before */
        }
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return atomic_load(&ring->is_told) == 0 && atomic_exchange(&ring->is_told, 1) == 0;
}

/* The number that is not to be taken yet. */
static uint32_t end_of(struct connection_ring *ring, uint32_t at)
{
        uint32_t next = atomic_load(&ring->next);

        if (next - at <= CELLS)
                return next;
        atomic_store(&ring->next, at + CELLS); /* it cannot be */
        return at + CELLS;
}

size_t connection_ring_take(struct connection_ring *ring, uint32_t *at, struct connection_record *ret, size_t most)
{
        uint32_t end = end_of(ring, *at), first_claimed = end, number;
        size_t count = 0;

        for (number = *at; number != end && count < most; number++) {
                _Atomic uint64_t *state = &ring->states[number % CELLS];
                uint64_t found = atomic_load(state);
                bool is_claimed = found != state_of(number, WHOLE) && found != state_of(number, FREE) &&
                                  round_of(found) == number / CELLS;

                if (is_claimed && first_claimed == end)
                        first_claimed = number;
                if (is_claimed)
                        continue;
                if (found == state_of(number, WHOLE))
                        ret[count++] = ring->records[number % CELLS];
                atomic_store(state, state_of(number + CELLS, FREE));
        }
        *at = first_claimed != end ? first_claimed : number;
        atomic_store_explicit(&ring->taken, *at, memory_order_relaxed);
        return count;
}

void connection_ring_listen(struct connection_ring *ring)
{
        atomic_exchange(&ring->is_told, 0);
}

void connection_ring_expect(struct connection_ring *ring)
{
        atomic_store(&ring->is_told, 1);
}

bool connection_ring_is_told(const struct connection_ring *ring)
{
        return atomic_load(&ring->is_told) != 0;
}

uint32_t connection_ring_take_dropped(struct connection_ring *ring)
{
        return atomic_exchange(&ring->dropped, 0);
}

bool connection_ring_is_held(struct connection_ring *ring, uint32_t at)
{
        return atomic_load(&ring->next) != at;
}

void connection_ring_skip(struct connection_ring *ring, uint32_t *at)
{
        atomic_store(&ring->states[*at % CELLS], state_of(*at + CELLS, FREE));
        (*at)++;
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
}
