#include "master/pool/deadlines.h"

#include <signal.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/loop/reaper.h"
#include "master/pool/health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/worker.h"
#include "master/pool/worker_table.h"

/* A retiring worker that still says idle after so long does not run: it may be stopped. */
#define RETIRE_STUCK_MS 5000

struct deadlines {
        uint64_t now_ms;
        uint64_t next_ms;
        unsigned detached;
        bool armed; /* some request's deadline is still to come: no need to hear of new requests before it */
};

static bool is_due(struct deadlines *deadlines, uint64_t at_ms)
{
        if (deadlines->now_ms >= at_ms)
                return true;
        deadlines->next_ms = MIN_OF(deadlines->next_ms, at_ms);
        return false;
}

static void log_worker(const struct worker *worker, int priority, uint64_t busy_ms, enum message_id id,
                       const char *what)
{
        const struct log_fields fields = {.message_id = id, .pool = worker->pool->name, .worker_pid = worker->pid,
                                          .generation = worker->generation, .request_duration_us = busy_ms * 1000};

        log_emit(priority, &fields, "%s after %llu ms", what, (unsigned long long)busy_ms);
}

static void escalate(struct deadlines *deadlines, struct worker *worker, enum worker_event event)
{
        worker->escalated_ms = deadlines->now_ms;
        worker->escalated_request = atomic_load(&worker_slot(worker)->requests_begun);
        worker_event(worker, event);
}

/* A request that is being served. */
static void check_request(struct deadlines *deadlines, struct worker *worker)
{
        struct pool *pool = worker->pool;
        uint64_t since_ms = worker_since_ms(worker, deadlines->now_ms);
        uint64_t busy_ms = deadlines->now_ms - since_ms;
        uint64_t timeout_ms = pool->config->request_timeout_ms, detach_ms = pool->config->detach_after_ms;

        if (timeout_ms > 0 && is_due(deadlines, since_ms + timeout_ms)) {
                pool_counters_note(pool, COUNTER_request_timeouts);
                log_worker(worker, LOG_WARNING, busy_ms, MESSAGE_ID_REQUEST_TIMED_OUT, "request_timeout: TERM to the handler");
                escalate(deadlines, worker, WORKER_EVENT_REQUEST_TIMEOUT);
                is_due(deadlines, deadlines->now_ms + pool->config->kill_timeout_ms);
                return;
        }
        deadlines->armed |= timeout_ms > 0;
        if (detach_ms == 0 || worker->state != WORKER_READY)
                return;
        if (!is_due(deadlines, since_ms + detach_ms))
                deadlines->armed = true;
        else if (deadlines->detached < pool->config->max_detached_workers) {
                deadlines->detached++;
                pool_counters_note(pool, COUNTER_detached);
                log_worker(worker, LOG_INFO, busy_ms, MESSAGE_ID_NONE, "detached");
                worker_event(worker, WORKER_EVENT_DETACH);
                pool_touch(pool);
        }
}

static void check_state(struct deadlines *deadlines, struct worker *worker);

/* A request that was told to end. */
static void check_escalation(struct deadlines *deadlines, struct worker *worker)
{
        bool is_over = !worker_is_busy(worker) ||
                       atomic_load(&worker_slot(worker)->requests_begun) != worker->escalated_request;

        if (is_over) {
                worker_event(worker, WORKER_EVENT_REQUEST_ENDED);
                /* The next request may have begun before notify_busy was set again: nobody but this look sees it. */
                check_state(deadlines, worker);
                return;
        }
        if (!is_due(deadlines, worker->escalated_ms + worker->pool->config->kill_timeout_ms))
                return;
        uint64_t busy_ms = deadlines->now_ms - worker_since_ms(worker, deadlines->now_ms);
        log_worker(worker, LOG_WARNING, busy_ms, MESSAGE_ID_NONE,
                   worker->state == WORKER_TERMINATING ? "kill_timeout: KILL to the handler"
                                                       : "kill_timeout: KILL to the worker");
        escalate(deadlines, worker, WORKER_EVENT_KILL_TIMEOUT);
        is_due(deadlines, deadlines->now_ms + worker->pool->config->kill_timeout_ms);
}

/* A worker that serves nothing and was asked to go. */
static void check_retirement(struct deadlines *deadlines, struct worker *worker)
{
        uint64_t since_ms = MAX_OF(worker->retired_ms, worker_since_ms(worker, deadlines->now_ms));

        if (!is_due(deadlines, since_ms + RETIRE_STUCK_MS))
                return;
        log_worker(worker, LOG_WARNING, deadlines->now_ms - since_ms, MESSAGE_ID_NONE, "does not retire: killed");
        worker_event(worker, WORKER_EVENT_STUCK);
}

/* A worker that was ordered to end with its handler, and has had its time. */
static void check_kill(struct deadlines *deadlines, struct worker *worker)
{
        if (!is_due(deadlines, worker->kill_at_ms))
                return;
        worker->kill_at_ms = POOL_NEVER_MS; /* once; a process that survives KILL is the kernel's */
        reaper_kill(worker->pool->runtime->reaper, worker->pid, SIGKILL);
}

static void check_state(struct deadlines *deadlines, struct worker *worker)
{
        const struct pool_config *config = worker->pool->config;

        switch (worker->state) {
        case WORKER_STARTING:
                if (is_due(deadlines, worker->forked_ms + config->start_timeout_ms)) {
                        log_worker(worker, LOG_ERR, deadlines->now_ms - worker->forked_ms, MESSAGE_ID_NONE,
                                   "start_timeout: not ready");
                        health_note_failure(worker->pool);
                        worker_event(worker, WORKER_EVENT_START_TIMEOUT);
                }
                break;
        case WORKER_READY:
        case WORKER_DETACHED:
                if (worker_is_busy(worker))
                        check_request(deadlines, worker);
                else /* nothing to a ready one; a detached one is to go now */
                        worker_event(worker, WORKER_EVENT_REQUEST_ENDED);
                break;
        case WORKER_RETIRING:
                if (worker_is_busy(worker))
                        check_request(deadlines, worker);
                else
                        check_retirement(deadlines, worker);
                break;
        case WORKER_TERMINATING:
        case WORKER_KILLING:
                check_escalation(deadlines, worker);
                break;
        case WORKER_GONE:
        case WORKER_STATE_COUNT:
                break;
        }
}

static void check_worker(struct deadlines *deadlines, struct worker *worker)
{
        if (worker->kill_at_ms == 0 && worker_serves(worker))
                check_state(deadlines, worker);
        if (worker->kill_at_ms > 0) /* from now on, it may be */
                check_kill(deadlines, worker);
}

static struct deadlines check_all(struct pool *pool, uint64_t now_ms)
{
        struct deadlines deadlines = {.now_ms = now_ms, .next_ms = POOL_NEVER_MS, .detached = worker_table_count(pool).detached};

        for (struct worker *worker = pool->workers.first; worker; worker = worker->next)
                check_worker(&deadlines, worker);
        return deadlines;
}

uint64_t deadlines_step(struct pool *pool, uint64_t now_ms)
{
        bool wanted = pool->config->request_timeout_ms > 0 || pool->config->detach_after_ms > 0;

        /* Silence first: a request that begins while we look either is seen by the look or finds the wish published. */
        atomic_store(&pool->board.memory->notify_busy, 0);
        struct deadlines deadlines = check_all(pool, now_ms);
        if (wanted && !deadlines.armed) {
                atomic_store(&pool->board.memory->notify_busy, 1);
                deadlines = check_all(pool, now_ms);
                if (deadlines.armed)
                        atomic_store(&pool->board.memory->notify_busy, 0);
        }
        return deadlines.next_ms;
}
