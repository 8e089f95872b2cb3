#include "master/pool/pool_counters.h"

#include "base/saturating.h"
#include "master/pool/pool.h"

void pool_counters_note(struct pool *pool, enum counter_id id)
{
        (*counter_of(&pool->counters.sums, id))++;
}

void pool_counters_add(struct pool *pool, enum counter_id id, uint64_t more)
{
        uint64_t *sum = counter_of(&pool->counters.sums, id);

        *sum = saturated_add(*sum, more);
}

uint64_t pool_counters_saturated_ms(const struct pool *pool, uint64_t now_ms)
{
        uint64_t since_ms = pool->scaler.told_since_ms;

        return since_ms > 0 && now_ms > since_ms ? now_ms - since_ms : 0;
}

static uint64_t timeval_ms(const struct timeval *time)
{
        return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_usec / 1000;
}

void pool_counters_inherit(struct pool *pool, const struct tally_words *counted, const struct rusage *usage)
{
        struct pool_counters *counters = &pool->counters;
        struct pool_gone *gone = &counters->gone;
        uint64_t place = gone->count++ % POOL_GONE_WORKERS_KEPT;

        counters_add(&counters->sums, &counted->counters);
        for (size_t i = 0; i < PREFORK_DURATION_BUCKETS; i++) {
                gone->durations[i] += counted->durations[i];
                gone->waits[i] += counted->waits[i];
        }
        gone->requests[place] = counted->counters.requests;
        gone->cpu_ms[place] = timeval_ms(&usage->ru_utime) + timeval_ms(&usage->ru_stime);
}

void pool_counters_inherit_board(struct pool *pool, const struct tally_words *counted)
{
        counters_add(&pool->counters.sums, &counted->counters);
}

void pool_counters_inherit_program(struct pool *pool, const struct rusage *usage)
{
        pool_counters_add(pool, COUNTER_handler_cpu_us,
                          (timeval_ms(&usage->ru_utime) + timeval_ms(&usage->ru_stime)) * 1000);
}

void pool_counters_note_rate(struct pool *pool, uint64_t now_ms, uint64_t requests)
{
        request_rate_note(&pool->counters.rate, now_ms, requests);
}

void pool_counters_note_load(struct pool *pool, uint64_t now_ms, uint64_t busy_ns)
{
        load_note(&pool->counters.load, now_ms, busy_ns);
}
