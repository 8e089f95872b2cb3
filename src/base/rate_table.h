/* How many connections a pool and each of its sources may begin: token buckets in memory that all its workers share.
 * Pure: the time is given; it calls nothing, so that it can be linked into the preload object.
 *
 * A bucket is one word, changed by compare-and-swap: the moment at which it will be full again (the generic cell rate
 * algorithm). It may be ahead of now by what the burst is worth; each connection moves it on by one step. So there is
 * nothing to fill up, no lock, and a process may die at any instruction.
 *
 * The buckets of sources are in sets of RATE_WAYS, a cache line each; a keyed hash of the source says in which set, and
 * a part of it is in the word. A source that is not there has a full bucket. In a full set it takes the place of the
 * one that is full again first. What must stay true:
 *   - a source is never refused because of others: to be forgotten is to have a full bucket. (Unless it shares set and
 *     tag with one of them: 36 bits of a hash whose key no client knows.)
 *   - a source gets no more than burst + rate × time, as long as no more than RATE_WAYS sources of a set have to wait
 *     for a full bucket at the same time. Beyond that, those that have used the least are forgotten.
 *   - a word is believed only if it can be true; garbage is a full bucket, and what the pool's word says is bounded.
 *     So whatever a worker writes, it heals by itself in the time that a bucket needs to be full again, and a minute.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "prefork/scoreboard.h"

#define RATE_SETS 65536
#define RATE_WAYS 8

/* The longest time that an empty bucket may need to be full again. */
#define RATE_REFILL_MAX_MS (UINT64_C(30) * 24 * 3600 * 1000)

/* A worker that was asked to end holds a connection no longer than this for a token that it does not get. */
#define RATE_LAST_HOLD_MS 10000

/* One connection in step_ns, in the long run; `burst` at once. step_ns 0: no limit. */
struct rate_words {
        _Atomic uint64_t step_ns;
        _Atomic uint64_t burst;
};

struct rate_table {
        /* Written by the master. */
        _Alignas(PREFORK_SCOREBOARD_LINE) uint64_t key[2]; /* random; nobody outside the pool knows it */
        struct rate_words of_pool, of_source;
        _Atomic uint32_t prefix_ipv4, prefix_ipv6; /* a source is so many bits of an address; 0: all of them */

        /* Written by workers. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint64_t pool; /* the pool's bucket; nanoseconds */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint64_t buckets[RATE_SETS][RATE_WAYS];
};

/* Set a rate of `count` connections in `period_ms`; count 0: no limit. Each in a time of step_ns, rounded up. */
void rate_words_set(struct rate_words *words, uint64_t count, uint64_t period_ms, uint64_t burst);

/* Is there a limit for each source? */
static inline bool rate_table_limits_sources(const struct rate_table *table)
{
        return atomic_load_explicit(&table->of_source.step_ns, memory_order_relaxed) > 0;
}

static inline bool rate_table_limits_pool(const struct rate_table *table)
{
        return atomic_load_explicit(&table->of_pool.step_ns, memory_order_relaxed) > 0;
}

/* A connection of this source (a hash, not 0) begins at now_ns. False: it is over its rate; nothing was taken. */
bool rate_table_take(struct rate_table *table, uint64_t source, uint64_t now_ns);

/* A connection of the pool is to begin: take a token, the next that is not taken. Returns when it is there; not after
 * now_ns: now. At most `workers` processes hold connections for tokens to come; no word says more than that. */
uint64_t rate_table_reserve(struct rate_table *table, uint32_t workers, uint64_t now_ns);
