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

/* How often a bit of the idle set is corrected again because the activity has changed in between. */
#define CORRECTIONS 8

struct prefork_slot *worker_slot(const struct worker *worker, uint32_t thread)
{
        return &worker->board->memory->slots[worker->slot + thread];
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

static void write_order(const struct worker *worker, uint32_t thread, uint64_t request, enum prefork_order what)
{
        struct prefork_slot *slot = worker_slot(worker, thread);

        atomic_store(&slot->order_request, request);
        atomic_store(&slot->order, what);
        send_signal(worker, SIGUSR1);
        send_signal(worker, SIGCONT); /* its handler may have stopped it */
}

void worker_interrupt(struct worker *worker, const struct worker_request *request)
{
        write_order(worker, request->thread, request->number, PREFORK_ORDER_TERM);
}

/* A program obeys no orders: what they stand for is sent to its group. */
static void order(struct worker *worker, enum prefork_order what)
{
        if (worker->is_program) {
                signal_group(worker, what == PREFORK_ORDER_TERM ? SIGTERM : SIGKILL);
                signal_group(worker, SIGCONT);
                return;
        }
        write_order(worker, what == PREFORK_ORDER_DIE ? 0 : worker->escalated_thread, worker->escalated_request, what);
}

/* Its handler is copied, and a copy that waits takes its connections. */
static bool has_copies(const struct worker *worker)
{
        return !worker->is_program && worker_serves(worker) &&
               atomic_load(&worker_slot(worker, 0)->attached) == PREFORK_ATTACHED_PRELOAD;
}

static void signal_retire(struct worker *worker)
{
        /* Remove it from the idle set now, not when it handles the signal: the idle set counts workers that will
         * serve. */
        if (worker_serves(worker))
                worker_leave_idle_set(worker);
        send_signal(worker, worker->retire_signal > 0 ? worker->retire_signal : DOOR_SIGNAL);
        /* One that was stopped while its copy took a connection would be busy for ever. */
        if (worker->retire_signal > 0 || has_copies(worker))
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
        if (worker->is_program || has_copies(worker)) /* what a program has started is in its group */
                signal_group(worker, SIGKILL);
}

void worker_launched(struct worker *worker, pid_t pid, uint64_t now_ms)
{
        worker->pid = pid;
        worker_event(worker, WORKER_EVENT_LAUNCHED, now_ms);
}

static bool is_spare(const _Atomic uint32_t *activity)
{
        uint32_t now = atomic_load(activity);

        return now == PREFORK_IDLE || now == PREFORK_THROTTLED;
}

/* Make the bit of a slot in the idle set agree with its activity. The worker runs meanwhile and changes its activity
 * first. */
static void rejoin_idle_set(const struct worker *worker, uint32_t thread)
{
        struct prefork_scoreboard *board = worker->board->memory;
        const _Atomic uint32_t *activity = &worker_slot(worker, thread)->activity;
        bool idle = !is_spare(activity);

        for (unsigned i = 0; i < CORRECTIONS && idle != is_spare(activity); i++) {
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

/* The copy of its handler that waits would take one more connection, whose end a worker that does not run cannot see.
 * So it is retired, as the worker would do it, which ends when it is continued. */
static void retire_copy(const struct worker *worker)
{
        bool idle = atomic_load(&worker_slot(worker, 0)->activity) == PREFORK_IDLE;

        if (has_copies(worker) && idle && send_signal(worker, 0) == 0)
                children_signal(worker->pid, DOOR_SIGNAL);
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
        if (stopped) {
                worker_leave_idle_set(worker);
                retire_copy(worker);
        }
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

bool worker_give_up_start(const struct worker *worker)
{
        uint32_t activity = PREFORK_STARTING;

        return atomic_compare_exchange_strong(&worker_slot(worker, 0)->activity, &activity, PREFORK_ENDING) ||
               activity == PREFORK_ENDING;
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
