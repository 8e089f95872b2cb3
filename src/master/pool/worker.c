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
#include "os/clock.h"

/* A worker that was ordered to end itself and its handler has this long, then it is killed from outside. */
#define DIE_GRACE_MS 1000

struct scoreboard_slot *worker_slot(const struct worker *worker)
{
        return &worker->pool->board.memory->slots[worker->slot];
}

bool worker_stays(const struct worker *worker)
{
        return worker_serves(worker) && worker->state != WORKER_DETACHED && worker->state != WORKER_RETIRING &&
               worker->state != WORKER_GONE && !worker->retired && !worker->ended_by_us;
}

bool worker_counts(const struct worker *worker)
{
        return worker_stays(worker) && worker->purpose != WORKER_DRAIN;
}

bool worker_is_idle(const struct worker *worker)
{
        return worker->state == WORKER_READY && idle_set_has(worker->pool->board.memory, worker->slot);
}

bool worker_is_busy(const struct worker *worker)
{
        return worker_serves(worker) && worker->state != WORKER_STARTING &&
               atomic_load(&worker_slot(worker)->activity) == SCOREBOARD_BUSY;
}

uint64_t worker_since_ms(const struct worker *worker, uint64_t now_ms)
{
        uint64_t since_ms = atomic_load(&worker_slot(worker)->activity_since_ns) / 1000000;

        return MIN_OF(since_ms, now_ms);
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

static void order(struct worker *worker, enum scoreboard_order what)
{
        struct scoreboard_slot *slot = worker_slot(worker);

        atomic_store(&slot->order_request, worker->escalated_request);
        atomic_store(&slot->order, what);
        reaper_kill(worker->pool->runtime->reaper, worker->pid, SIGUSR1);
}

static void signal_retire(struct worker *worker)
{
        worker->retired = true;
        worker->retired_ms = clock_now_ms();
        /* It leaves the idle set now, not when it gets round to it: the count is of workers that will serve. */
        if (worker_serves(worker))
                idle_set_remove(worker->pool->board.memory, worker->slot);
        reaper_kill(worker->pool->runtime->reaper, worker->pid, DOOR_SIGNAL);
}

static void end_now(struct worker *worker)
{
        bool may_have_handler = worker_serves(worker) && worker->kill_at_ms == 0 && !worker->ended_by_us &&
                                atomic_load(&worker_slot(worker)->activity) != SCOREBOARD_STARTING;

        worker->ended_by_us = true;
        if (may_have_handler) {
                /* Only the worker knows its handler; it gets the chance to take it along. */
                worker->kill_at_ms = clock_now_ms() + DIE_GRACE_MS;
                order(worker, SCOREBOARD_ORDER_DIE);
        } else
                reaper_kill(worker->pool->runtime->reaper, worker->pid, SIGKILL);
}

void worker_launched(struct worker *worker, pid_t pid)
{
        worker->pid = pid;
        if (worker->ended_by_us)
                reaper_kill(worker->pool->runtime->reaper, pid, SIGKILL);
        else if (worker->retired)
                reaper_kill(worker->pool->runtime->reaper, pid, DOOR_SIGNAL);
}

/* The word a worker may be waiting for before it goes. */
void worker_answer(struct worker *worker, enum scoreboard_answer answer)
{
        _Atomic uint32_t *word = &worker_slot(worker)->answer;

        atomic_store(word, answer);
        syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void worker_event(struct worker *worker, enum worker_event event)
{
        const struct worker_transition transition = worker_fsm_step(worker->state, event, worker->retired);

        worker->state = transition.next;
        switch (transition.action) {
        case WORKER_ACTION_NONE:
        case WORKER_ACTION_FORGET: /* worker_exit's part */
                break;
        case WORKER_ACTION_SIGNAL_RETIRE:
                signal_retire(worker);
                break;
        case WORKER_ACTION_RELAY_TERM:
                order(worker, SCOREBOARD_ORDER_TERM);
                break;
        case WORKER_ACTION_RELAY_KILL:
                order(worker, SCOREBOARD_ORDER_KILL);
                break;
        case WORKER_ACTION_KILL:
                end_now(worker);
                break;
        case WORKER_ACTION_COUNT:
                assert(false);
        }
}

void worker_retire(struct worker *worker, const char *reason)
{
        const struct log_fields fields = {.pool = worker->pool->name, .worker_pid = worker->pid, .reason = reason,
                                          .generation = worker->generation};

        if (worker->retired)
                return;
        pool_counters_note(worker->pool, COUNTER_retired);
        log_emit(LOG_DEBUG, &fields, "retired (%s)", reason);
        worker_event(worker, WORKER_EVENT_RETIRE);
        if (worker_serves(worker))
                worker_answer(worker, SCOREBOARD_ANSWER_GO);
}
