#include "master/pool/pool_history.h"

#include "logic/status/history.h"
#include "master/pool/pool.h"
#include "master/pool/tallies.h"

static struct history_counted counted_of(const struct pool *pool, uint64_t now_ms)
{
        return (struct history_counted){.busy_ns = tallies_busy_ns(pool, now_ms),
                                        .requests = tallies_totals(pool).requests};
}

void pool_history_note(struct pool *pool, uint64_t now_ms)
{
        if (!history_is_due(&pool->counters.history, now_ms))
                return;
        tallies_look(pool); /* turns look at less */
        const struct history_counted counted = counted_of(pool, now_ms);
        history_note(&pool->counters.history, now_ms, &counted);
}

void pool_history_see(struct pool *pool, uint64_t now_ms)
{
        const struct worker_counts *counts = &pool->turn.rows.counts;
        const struct history_seen seen = {.starting = counts->starting,
                                          .unwatched = counts->unwatched,
                                          .total = counts->total,
                                          .queue = pool->turn.queued};

        history_see(&pool->counters.history, now_ms, &seen);
}

size_t pool_history_read(const struct pool *pool, uint64_t now_ms, struct history_row *ret)
{
        const struct history_counted counted = counted_of(pool, now_ms);

        return history_read(&pool->counters.history, now_ms, &counted, ret);
}
