#include "master/pool/worker_slots.h"

#include "base/cleanup.h"
#include "lib/idle_set.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"

/* How often a slot is read again because a request has begun in between. */
#define SLOT_READS 8

struct tally *worker_tally(const struct worker *worker, uint32_t thread)
{
        return &worker->pool->workers.tallies[worker->slot + thread];
}

uint64_t worker_requests(const struct worker *worker)
{
        uint64_t sum = 0;

        for (uint32_t i = 0; i < worker->slots; i++)
                sum += worker_tally(worker, i)->counted.counters.requests;
        return sum;
}

static uint32_t count_idle(const struct worker *worker)
{
        uint32_t count = 0;

        for (uint32_t i = 0; i < worker->slots; i++)
                count += idle_set_has(worker->board->memory, worker->slot + i);
        return count;
}

bool worker_is_idle(const struct worker *worker)
{
        return worker->life.state == WORKER_READY && count_idle(worker) == worker->slots;
}

static bool has_request(const struct worker *worker, uint32_t thread)
{
        return worker_serves(worker) && atomic_load(&worker_slot(worker, thread)->activity) == PREFORK_BUSY;
}

bool worker_is_busy(const struct worker *worker, uint32_t thread)
{
        return has_request(worker, thread) && !worker_life_is_starting(&worker->life);
}

unsigned worker_busy_slots(const struct worker *worker)
{
        unsigned count = 0;

        for (uint32_t i = 0; i < worker->slots; i++)
                count += has_request(worker, i);
        return count;
}

uint64_t worker_begun(const struct worker *worker)
{
        uint64_t sum = 0;

        for (uint32_t i = 0; i < worker->slots; i++)
                sum += atomic_load(&worker_slot(worker, i)->requests_begun);
        return sum;
}

uint64_t worker_since_ms(const struct worker *worker, uint32_t thread, uint64_t now_ms)
{
        uint64_t since_ns = atomic_load(&worker_slot(worker, thread)->activity_since_ns);
        uint64_t since_ms = since_ns / 1000000 + (since_ns % 1000000 != 0); /* no deadline is met early */

        /* It has done nothing before it was launched, and does nothing in the future. */
        return MIN_OF(MAX_OF(since_ms, worker->forked_ms), now_ms);
}

static enum recycle_reason reason_asked(const struct prefork_slot *slot)
{
        switch (atomic_load(&slot->recycle)) {
        case PREFORK_RECYCLE_NONE:
                return RECYCLE_NOT_ASKED;
        case PREFORK_RECYCLE_MEMORY:
                return RECYCLE_MEMORY;
        case PREFORK_RECYCLE_AGE:
                return RECYCLE_AGE;
        default:
                return RECYCLE_REQUESTS;
        }
}

/* Read what a slot says. All words must belong to the same request, so that an order names the request that was
 * seen. */
static void read_slot(const struct worker *worker, uint32_t thread, uint64_t now_ms, struct worker_row *row)
{
        const struct prefork_slot *slot = worker_slot(worker, thread);
        uint64_t before;
        unsigned reads = 0;

        row->thread = thread;
        do {
                before = atomic_load(&slot->requests_begun);
                row->busy = worker_is_busy(worker, thread);
                row->since_ms = worker_since_ms(worker, thread, now_ms);
                row->request = atomic_load(&slot->requests_begun);
        } while (row->request != before && ++reads < SLOT_READS);
}

/* After an escalation one request matters until it has ended, see worker_row.thread. */
static bool waits_for_request(const struct worker *worker)
{
        return worker->life.state == WORKER_DETACHED || worker->life.state == WORKER_TERMINATING ||
               worker->life.state == WORKER_KILLING;
}

/* True if the worker has been ordered to end that request. The word is ours, but its writer may be anybody: a request
 * is interrupted once more, or later, and nothing else depends on it. */
static bool was_interrupted(const struct worker *worker, const struct worker_row *row)
{
        const struct prefork_slot *slot = worker_slot(worker, row->thread);

        return row->busy && atomic_load(&slot->order) != PREFORK_ORDER_NONE &&
               atomic_load(&slot->order_request) == row->request;
}

/* Beside the request that was escalated, the oldest that was not interrupted yet. */
static struct worker_request find_other(const struct worker *worker, uint64_t now_ms)
{
        struct worker_request oldest = {0};

        for (uint32_t i = 0; i < worker->slots; i++) {
                struct worker_row row;
                read_slot(worker, i, now_ms, &row);
                if (i != worker->escalated_thread && row.busy && !was_interrupted(worker, &row) &&
                    (!oldest.present || row.since_ms < oldest.since_ms))
                        oldest = (struct worker_request){
                                .present = true, .thread = i, .number = row.request, .since_ms = row.since_ms};
        }
        return oldest;
}

/* The thread that has served its request for the longest; if none serves one, the last that has. */
static void read_slots(const struct worker *worker, uint64_t now_ms, struct worker_row *row)
{
        if (waits_for_request(worker)) {
                read_slot(worker, worker->escalated_thread, now_ms, row);
                if (worker->slots > 1 && worker->life.state != WORKER_DETACHED)
                        row->other = find_other(worker, now_ms);
                return;
        }
        read_slot(worker, 0, now_ms, row);
        for (uint32_t i = 1; i < worker->slots; i++) {
                struct worker_row other = *row;
                read_slot(worker, i, now_ms, &other);
                if (other.busy != row->busy ? other.busy
                    : row->busy             ? other.since_ms < row->since_ms
                                            : other.since_ms > row->since_ms)
                        *row = other;
        }
        row->interrupted = worker->slots > 1 && was_interrupted(worker, row);
}

bool worker_is_throttled(const struct worker *worker, uint32_t thread)
{
        return atomic_load(&worker_slot(worker, thread)->activity) == PREFORK_THROTTLED;
}

static void read_idle(const struct worker *worker, struct worker_row *row)
{
        uint32_t idle = count_idle(worker);

        row->idle = worker->life.state == WORKER_READY && idle == worker->slots;
        if (worker->slots > 1 && !row->idle && worker_life_is_open(&worker->life) &&
            !worker_life_is_starting(&worker->life))
                row->idle_slots = idle;
        for (uint32_t i = 0; i < worker->slots; i++)
                row->throttled += worker_is_throttled(worker, i);
}

static void read_worker(const struct worker *worker, uint64_t now_ms, struct worker_row *row)
{
        const struct prefork_slot *first = worker_slot(worker, 0);

        row->requests = worker_begun(worker); /* first: what begins later is seen as a request that is new */
        read_slots(worker, now_ms, row);
        row->asked_ns = atomic_load(&first->activity_since_ns);
        row->asks = reason_asked(first);
        row->granted = atomic_load(&first->answer) == PREFORK_ANSWER_GO;
}

struct worker_row worker_counted_row_of(struct worker *worker)
{
        struct worker_row row = {.worker = worker,
                                 .life = worker->life,
                                 .purpose = worker->purpose,
                                 .stopped = worker->stopped,
                                 .unwatched = worker->unwatched,
                                 .slots = worker->slots,
                                 .generation = worker->generation};

        if (worker_serves(worker))
                read_idle(worker, &row);
        return row;
}

struct worker_row worker_row_of(struct worker *worker, uint64_t now_ms)
{
        struct worker_row row = worker_counted_row_of(worker);

        row.pid = worker->pid;
        row.launched_ms = worker->forked_ms;
        row.recycling = worker->recycling;
        row.escalated_request = worker->escalated_request;
        row.escalated_thread = worker->escalated_thread;
        row.slow_request = worker->slow_request;
        row.slow_thread = worker->slow_thread;
        if (worker_serves(worker))
                read_worker(worker, now_ms, &row);
        return row;
}
