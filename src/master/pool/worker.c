#include "master/pool/worker.h"

#include <assert.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/door.h"
#include "lib/idle_set.h"
#include "master/loop/reaper.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "os/process/children.h"

/* How often a slot is read again because a request has begun in between. */
#define SLOT_READS 8

struct prefork_slot *worker_slot(const struct worker *worker, uint32_t thread)
{
        return &worker->board->memory->slots[worker->slot + thread];
}

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

const struct listener_set *worker_listeners(const struct worker *worker)
{
        const struct pool *pool = worker->pool;

        return worker->purpose == WORKER_DRAIN || pool->mode != POOL_OPEN ? &pool->closing : &pool->listeners;
}

void worker_leave_idle_set(const struct worker *worker)
{
        for (uint32_t i = 0; i < worker->slots; i++)
                idle_set_remove(worker->board->memory, worker->slot + i);
}

bool worker_serves(const struct worker *worker)
{
        return worker->purpose != WORKER_REFUSE;
}

void worker_set_replacement(struct worker *worker, struct worker *replacement)
{
        if (worker->replacement) {
                worker->replacement->replaces = NULL;
                worker->replacement->purpose = WORKER_SERVE;
        }
        worker->replacement = replacement;
        if (replacement) {
                replacement->replaces = worker;
                replacement->purpose = WORKER_REPLACE;
        }
}

/* 0; -ESRCH: it has ended, and its number may be another's. */
static int send_signal(const struct worker *worker, int number)
{
        return reaper_kill(worker->pool->runtime->reaper, worker->pid, worker, number);
}

static int signal_group(const struct worker *worker, int number)
{
        return reaper_kill_group(worker->pool->runtime->reaper, worker->pid, worker, number);
}

/* A program obeys no orders: what they stand for is sent to its group. */
static void order(struct worker *worker, enum prefork_order what)
{
        if (worker->is_program) {
                signal_group(worker, what == PREFORK_ORDER_TERM ? SIGTERM : SIGKILL);
                signal_group(worker, SIGCONT);
                return;
        }
        struct prefork_slot *slot = worker_slot(worker, what == PREFORK_ORDER_DIE ? 0 : worker->escalated_thread);

        atomic_store(&slot->order_request, worker->escalated_request);
        atomic_store(&slot->order, what);
        send_signal(worker, SIGUSR1);
        send_signal(worker, SIGCONT); /* its handler may have stopped it */
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

/* The thread that has served its request for the longest; if none serves one, the last that has. */
static void read_slots(const struct worker *worker, uint64_t now_ms, struct worker_row *row)
{
        if (waits_for_request(worker)) {
                read_slot(worker, worker->escalated_thread, now_ms, row);
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
}

static void read_worker(const struct worker *worker, uint64_t now_ms, struct worker_row *row)
{
        const struct prefork_slot *first = worker_slot(worker, 0);
        uint32_t idle = count_idle(worker);

        row->requests = worker_begun(worker); /* first: what begins later is seen as a request that is new */
        read_slots(worker, now_ms, row);
        row->idle = worker->life.state == WORKER_READY && idle == worker->slots;
        if (worker->slots > 1 && !row->idle && worker_life_is_open(&worker->life) &&
            !worker_life_is_starting(&worker->life))
                row->idle_slots = idle;
        row->asked_ns = atomic_load(&first->activity_since_ns);
        row->asks = reason_asked(first);
        row->granted = atomic_load(&first->answer) == PREFORK_ANSWER_GO;
}

struct worker_row worker_row_of(struct worker *worker, uint64_t now_ms)
{
        struct worker_row row = {.worker = worker,
                                 .pid = worker->pid,
                                 .life = worker->life,
                                 .purpose = worker->purpose,
                                 .stopped = worker->stopped,
                                 .unwatched = worker->unwatched,
                                 .slots = worker->slots,
                                 .generation = worker->generation,
                                 .launched_ms = worker->forked_ms,
                                 .recycling = worker->recycling,
                                 .escalated_request = worker->escalated_request,
                                 .escalated_thread = worker->escalated_thread};

        if (worker_serves(worker))
                read_worker(worker, now_ms, &row);
        return row;
}

static void signal_retire(struct worker *worker)
{
        /* Remove it from the idle set now, not when it handles the signal: the idle set counts workers that will
         * serve. */
        if (worker_serves(worker))
                worker_leave_idle_set(worker);
        send_signal(worker, worker->retire_signal > 0 ? worker->retire_signal : DOOR_SIGNAL);
        if (worker->retire_signal > 0)
                send_signal(worker, SIGCONT);
}

/* Order the worker to end. Only the worker knows its handler, so it gets the time to kill it. */
static void end(struct worker *worker, uint64_t now_ms)
{
        bool may_have_handler = worker_serves(worker) && !worker->is_program &&
                                atomic_load(&worker_slot(worker, 0)->activity) != PREFORK_STARTING;

        if (worker->slots > 1) /* its other threads may be idle */
                worker_leave_idle_set(worker);
        if (may_have_handler)
                order(worker, PREFORK_ORDER_DIE);
        else
                worker_event(worker, WORKER_EVENT_NO_HANDLER, now_ms);
}

/* A worker that does not end its handler, because it was stopped or lies, does not save it. */
static void kill_handler(const struct worker *worker)
{
        if (send_signal(worker, 0) == 0)
                children_kill(worker->pid);
        if (worker->is_program)
                signal_group(worker, SIGKILL);
}

void worker_launched(struct worker *worker, pid_t pid, uint64_t now_ms)
{
        worker->pid = pid;
        worker_event(worker, WORKER_EVENT_LAUNCHED, now_ms);
}

/* Make the bit of a slot in the idle set agree with its activity. The worker runs meanwhile and changes its activity
 * first. */
static void rejoin_idle_set(const struct worker *worker, uint32_t thread)
{
        struct prefork_scoreboard *board = worker->board->memory;
        const _Atomic uint32_t *activity = &worker_slot(worker, thread)->activity;
        bool idle = !(atomic_load(activity) == PREFORK_IDLE);

        for (unsigned i = 0; i < SLOT_READS && idle != (atomic_load(activity) == PREFORK_IDLE); i++) {
                idle = !idle;
                if (idle)
                        idle_set_add(board, worker->slot + thread);
                else
                        idle_set_remove(board, worker->slot + thread);
        }
}

static void tell_stop(struct worker *worker)
{
        const struct log_fields fields = {
                .pool = worker->pool->name, .worker_pid = worker->pid, .generation = worker->generation};

        if (!worker->stop_told)
                log_emit(LOG_WARNING, &fields, "stopped by a signal; it serves nobody until it is continued");
        worker->stop_told = true;
}

void worker_note_stop(void *context, bool stopped)
{
        struct worker *worker = context;
        struct pool *pool = worker->pool;

        worker->stopped = stopped;
        if (stopped)
                tell_stop(worker);
        if (!worker_serves(worker))
                return;
        if (stopped)
                worker_leave_idle_set(worker);
        for (uint32_t i = 0; i < worker->slots && !stopped && worker_life_is_open(&worker->life); i++)
                rejoin_idle_set(worker, i);
        if (wake_pipe_note(&pool->wake))
                pool_touch(pool);
}

/* Write the answer that the worker may be waiting for. */
void worker_answer(struct worker *worker, enum prefork_answer answer)
{
        _Atomic uint32_t *word = &worker_slot(worker, 0)->answer;

        atomic_store(word, answer);
        syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void worker_note_ready(struct worker *worker, uint64_t now_ms)
{
        if (worker->life.state == WORKER_STARTING && worker_serves(worker) &&
            atomic_load(&worker_slot(worker, 0)->activity) != PREFORK_STARTING) /* with threads it is the last */
                worker_event(worker, WORKER_EVENT_READY, now_ms);
}

void worker_event(struct worker *worker, enum worker_event event, uint64_t now_ms)
{
        switch (worker_life_feed(&worker->life, event, now_ms)) {
        case WORKER_ACTION_NONE:
        case WORKER_ACTION_FORGET: /* done by worker_exit and the launcher */
                break;
        case WORKER_ACTION_SIGNAL_RETIRE:
                signal_retire(worker);
                break;
        case WORKER_ACTION_RELAY_TERM:
                order(worker, PREFORK_ORDER_TERM);
                break;
        case WORKER_ACTION_RELAY_KILL:
                order(worker, PREFORK_ORDER_KILL);
                break;
        case WORKER_ACTION_END:
                end(worker, now_ms);
                break;
        case WORKER_ACTION_KILL:
                if (worker->slots > 1)
                        worker_leave_idle_set(worker);
                kill_handler(worker);
                send_signal(worker, SIGKILL);
                break;
        case WORKER_ACTION_COUNT:
                assert(false);
        }
}

void worker_retire(struct worker *worker, const char *reason, uint64_t now_ms)
{
        const struct log_fields fields = {.pool = worker->pool->name,
                                          .worker_pid = worker->pid,
                                          .reason = reason,
                                          .generation = worker->generation};

        if (!worker_life_is_open(&worker->life))
                return;
        pool_counters_note(worker->pool, COUNTER_retired);
        log_emit(LOG_DEBUG, &fields, "retired (%s)", reason);
        worker_event(worker, WORKER_EVENT_RETIRE, now_ms);
        if (worker_serves(worker))
                worker_answer(worker, PREFORK_ANSWER_GO);
}
