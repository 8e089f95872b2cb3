#include "master/pool/pool_counters.h"

#include "base/saturating.h"
#include "master/pool/pool.h"

void pool_counters_note(struct pool *pool, enum counter_id id)
{
        (*counter_of(&pool->counters.sums, id))++;
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
        uint64_t *sum = counter_of(&pool->counters.sums, COUNTER_handler_cpu_us);

        *sum = saturated_add(*sum, (timeval_ms(&usage->ru_utime) + timeval_ms(&usage->ru_stime)) * 1000);
}

void pool_counters_note_rate(struct pool *pool, uint64_t now_ms, uint64_t requests)
{
        request_rate_note(&pool->counters.rate, now_ms, requests);
}
