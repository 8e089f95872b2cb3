#include "master/pool/tallies.h"

#include "base/log.h"
#include "base/saturating.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"
#include "os/clock.h"

/* Said once for each board: who lies goes on lying. `pid` 0: no worker's slot. */
static void tell_lie(const struct pool *pool, struct board *board, pid_t pid, const struct tally_lie *lie)
{
        const struct log_fields fields = {.message_id = MESSAGE_ID_SCOREBOARD_IMPLAUSIBLE,
                                          .pool = pool->name,
                                          .worker_pid = pid,
                                          .generation = pool->generation};

        if (!board->lie_told)
                log_emit(LOG_WARNING, &fields,
                         "the scoreboard says what cannot be (%s went from %llu to %llu): it is not counted; a worker "
                         "of "
                         "this pool may have written it, and a restart of the pool makes a fresh scoreboard",
                         lie->name, (unsigned long long)lie->from, (unsigned long long)lie->to);
        board->lie_told = true;
}

/* Count what was read just now. */
static void count(const struct pool *pool, struct board *board, pid_t pid, struct tally *tally,
                  const struct tally_words *words)
{
        struct tally_lie lie = tally_count(tally, words, clock_now_ms(), pool->runtime->cpus);

        if (lie.name)
                tell_lie(pool, board, pid, &lie);
}

/* Add what a slot has grown by; the sums are of numbers that only grow. */
static void add_growth(struct pool_present *present, const struct tally_words *before, const struct tally_words *after)
{
        for (int id = 0; id < COUNTER_COUNT; id++)
                *counter_of(&present->counters, (enum counter_id)id) +=
                        *counter_of_const(&after->counters, (enum counter_id)id) -
                        *counter_of_const(&before->counters, (enum counter_id)id);
        for (size_t i = 0; i < PREFORK_DURATION_BUCKETS; i++) {
                present->durations[i] += (uint64_t)after->durations[i] - before->durations[i];
                present->waits[i] += (uint64_t)after->waits[i] - before->waits[i];
        }
}

static void count_slot(struct worker *worker, uint32_t thread, const struct tally_words *words, bool is_whole)
{
        struct tally *tally = worker_tally(worker, thread);
        const struct tally_words before = tally->counted;

        count(worker->pool, worker->board, worker->pid, tally, words);
        add_growth(&worker->pool->counters.present, &before, &tally->counted);
        tally->whole = is_whole;
}

static void look_at_slot(struct worker *worker, uint32_t thread)
{
        struct tally_words words;

        bool is_whole = tally_read(&words, worker_slot(worker, thread));
        count_slot(worker, thread, &words, is_whole);
}

void tallies_look_at(struct worker *worker)
{
        for (uint32_t i = 0; i < worker->slots && worker_serves(worker); i++)
                look_at_slot(worker, i);
}

void tallies_adopt(struct worker *worker)
{
        static const struct tally_words none = {0};

        for (uint32_t i = 0; i < worker->slots; i++)
                add_growth(&worker->pool->counters.present, &none, &worker_tally(worker, i)->counted);
}

void tallies_forget(struct worker *worker)
{
        static const struct tally_words none = {0};

        for (uint32_t i = 0; i < worker->slots; i++) {
                struct tally *tally = worker_tally(worker, i);
                add_growth(&worker->pool->counters.present, &tally->counted, &none);
                tally->counted = none;
        }
}

/* At every turn, so without what is not needed there. */
static void look_at_requests(struct worker *worker)
{
        struct tally_words words;

        for (uint32_t i = 0; i < worker->slots && worker_serves(worker); i++)
                if (tally_read_busy(&words, worker_slot(worker, i), worker_tally(worker, i)))
                        count_slot(worker, i, &words, false);
}

void tallies_look_at_board(const struct pool *pool, struct board *board)
{
        struct tally_words words;

        tally_read_board(&words, board->memory);
        count(pool, board, 0, &board->tally, &words);
}

/* Most of many workers have nothing to tell, and to read all that they say costs more than all else of a status. */
void tallies_look(struct pool *pool)
{
        for (struct worker *worker = pool->workers.first; worker; worker = worker->next)
                for (uint32_t i = 0; i < worker->slots && worker_serves(worker); i++)
                        if (tally_has_news(worker_slot(worker, i), worker_tally(worker, i)))
                                look_at_slot(worker, i);
        for (unsigned i = 0; i < pool->boards.count; i++)
                tallies_look_at_board(pool, pool->boards.items[i]);
}

uint64_t tallies_requests(struct pool *pool)
{
        uint64_t sum = pool->counters.sums.requests;

        for (struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                look_at_requests(worker);
                sum += worker_requests(worker);
        }
        return sum;
}

uint64_t tallies_accepted(struct pool *pool)
{
        const struct counters *sums = &pool->counters.sums;
        uint64_t sum = sums->requests + sums->refused - sums->refused_full;

        for (struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                look_at_requests(worker);
                for (uint32_t i = 0; i < worker->slots; i++) {
                        const struct tally_words *counted = &worker_tally(worker, i)->counted;
                        sum += counted->begun + counted->counters.refused;
                }
        }
        return sum;
}

uint64_t tallies_refused_full(struct pool *pool)
{
        uint64_t sum = pool->counters.sums.refused_full;

        for (unsigned i = 0; i < pool->boards.count; i++) {
                tallies_look_at_board(pool, pool->boards.items[i]);
                sum += pool->boards.items[i]->tally.counted.counters.refused_full;
        }
        return sum;
}

uint64_t tallies_busy_ns(const struct pool *pool, uint64_t now_ms)
{
        uint64_t busy_ns = tallies_totals(pool).busy_ns;

        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next)
                for (uint32_t i = 0; i < worker->slots; i++)
                        if (worker_is_busy(worker, i))
                                busy_ns =
                                        saturated_add(busy_ns, (now_ms - worker_since_ms(worker, i, now_ms)) * 1000000);
        return busy_ns;
}

struct counters tallies_totals(const struct pool *pool)
{
        struct counters totals = pool->counters.sums;

        counters_add(&totals, &pool->counters.present.counters);
        for (unsigned i = 0; i < pool->boards.count; i++)
                counters_add(&totals, &pool->boards.items[i]->tally.counted.counters);
        return totals;
}
