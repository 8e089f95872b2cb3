#include "base/rate_table.h"

#include <stddef.h>

/* A bucket of a source: a tag, which is part of the hash and not 0, and a moment in microseconds, of which the lower
 * bits are enough: what is further away than a full bucket is taken for one. */
#define TIME_BITS 44
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
_Static_assert(RATE_REFILL_MAX_MS * 1000 < TIME_MASK / 4, "a debt is known from a moment in the past");

/* Each failed attempt is the success of another; only who writes without end could cause more. */
#define ATTEMPTS 1000

/* Who has looked at the clock may not run for a while: to him a bucket that others have emptied since is further ahead
 * than it can be. So much is no garbage. */
#define LATE_US (UINT64_C(60) * 1000000)

/* The bucket that was full again first: before all others. */
#define LONG_AGO INT64_MIN

void rate_words_set(struct rate_words *words, uint64_t count, uint64_t period_ms, uint64_t burst)
{
        uint64_t step_ns = count > 0 ? (period_ms * 1000000 + count - 1) / count : 0;

        atomic_store(&words->burst, burst);
        atomic_store(&words->step_ns, step_ns);
}

/* A rate in microseconds: how far a bucket may be ahead. */
struct rate_us {
        uint64_t step, most;
};

static struct rate_us source_rate(const struct rate_table *table)
{
        uint64_t step_ns = atomic_load_explicit(&table->of_source.step_ns, memory_order_relaxed);
        uint64_t burst = atomic_load_explicit(&table->of_source.burst, memory_order_relaxed);
        uint64_t step = (step_ns + 999) / 1000, most;

        /* Whatever was written there. */
        if (step > TIME_MASK / 4)
                step = TIME_MASK / 4;
        if (__builtin_mul_overflow(step, burst, &most) || most > TIME_MASK / 4)
                most = TIME_MASK / 4;
        return (struct rate_us){.step = step, .most = most};
}

/* How far the bucket is ahead of now; negative: it has been full for so long. This orders buckets, whoever looks when:
 * so two that look for a place for the same source find the same one. */
static int64_t ahead_of(uint64_t word, uint64_t now_us, const struct rate_us *rate)
{
        int64_t ahead = (int64_t)((word - now_us) << (64 - TIME_BITS)) >> (64 - TIME_BITS);

        return word == 0 || ahead > (int64_t)(rate->most + LATE_US) ? LONG_AGO : ahead;
}

struct place {
        _Atomic uint64_t *bucket;
        uint64_t word;
        uint64_t debt; /* of the source; 0 if it is not there */
};

static struct place find(_Atomic uint64_t *set, uint64_t tag, uint64_t now_us, const struct rate_us *rate)
{
        struct place place = {0};
        int64_t least = INT64_MAX;

        for (size_t i = 0; i < RATE_WAYS; i++) {
                uint64_t word = atomic_load(&set[i]);
                int64_t ahead = ahead_of(word, now_us, rate);
                if (word >> TIME_BITS == tag)
                        return (struct place){.bucket = &set[i], .word = word, .debt = ahead > 0 ? (uint64_t)ahead : 0};
                if (ahead < least)
                        place = (struct place){.bucket = &set[i], .word = word}, least = ahead;
        }
        return place;
}

bool rate_table_take(struct rate_table *table, uint64_t source, uint64_t now_ns)
{
        const struct rate_us rate = source_rate(table);
        uint64_t now_us = now_ns / 1000, tag = source >> TIME_BITS;
        _Atomic uint64_t *set = table->buckets[source % RATE_SETS];

        tag = tag == 0 ? 1 : tag;
        for (unsigned i = 0; i < ATTEMPTS && rate.step > 0; i++) {
                struct place place = find(set, tag, now_us, &rate);
                if (place.debt + rate.step > rate.most)
                        return false;
                uint64_t then = tag << TIME_BITS | ((now_us + place.debt + rate.step) & TIME_MASK);
                if (atomic_compare_exchange_strong(place.bucket, &place.word, then))
                        return true;
        }
        return true;
}

uint64_t rate_table_reserve(struct rate_table *table, uint32_t workers, uint64_t now_ns)
{
        uint64_t step = atomic_load_explicit(&table->of_pool.step_ns, memory_order_relaxed), full, most;
        uint64_t burst = atomic_load_explicit(&table->of_pool.burst, memory_order_relaxed);
        uint64_t word = atomic_load(&table->pool), ahead;

        if (step == 0)
                return now_ns;
        if (__builtin_mul_overflow(step, burst, &full) || __builtin_mul_overflow(step, workers, &most) ||
            __builtin_add_overflow(full, most, &most) || most > INT64_MAX)
                return now_ns; /* whatever was written there */
        do {
                ahead = word > now_ns ? word - now_ns : 0;
                ahead = ahead < most ? ahead : most;
        } while (!atomic_compare_exchange_weak(&table->pool, &word, now_ns + ahead + step));
        return ahead + step > full ? now_ns + ahead + step - full : now_ns;
}
