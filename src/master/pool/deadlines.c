#include "master/pool/deadlines.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/saturating.h"
#include "base/text.h"
#include "master/pool/health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/program.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"
#include "os/process/process_tree.h"

static void count(struct pool *pool, enum worker_event event)
{
        switch (event) {
        case WORKER_EVENT_REQUEST_TIMEOUT:
                pool_counters_note(pool, COUNTER_request_timeouts);
                break;
        case WORKER_EVENT_DETACH:
                pool_counters_note(pool, COUNTER_detached);
                break;
        case WORKER_EVENT_START_TIMEOUT:
                health_note_failure(pool);
                break;
        default:
                break;
        }
}

void deadlines_feed(struct worker *worker, enum worker_event event, const struct worker_row *row, uint64_t now_ms)
{
        if (event != WORKER_EVENT_REQUEST_TIMEOUT || !row->interrupted)
                count(worker->pool, event);
        worker->escalated_request = row->request;
        worker->escalated_thread = row->thread;
        worker_event(worker, event, now_ms);
}

void deadlines_interrupt(struct worker *worker, const struct worker_request *request)
{
        count(worker->pool, WORKER_EVENT_REQUEST_TIMEOUT);
        worker_interrupt(worker, request);
}

void deadlines_tell(const struct worker *worker, const struct order *order)
{
        static const enum message_id ids[WORKER_EVENT_COUNT] = {
                [WORKER_EVENT_REQUEST_TIMEOUT] = MESSAGE_ID_REQUEST_TIMED_OUT,
                [WORKER_EVENT_KILL_TIMEOUT] = MESSAGE_ID_REQUEST_KILLED,
                [WORKER_EVENT_START_TIMEOUT] = MESSAGE_ID_WORKER_STUCK,
                [WORKER_EVENT_STUCK] = MESSAGE_ID_WORKER_STUCK,
        };
        const struct log_fields fields = {.message_id = ids[order->event],
                                          .pool = worker->pool->name,
                                          .worker_pid = worker->pid,
                                          .generation = worker->generation,
                                          .request_duration_us = order->duration_ms * 1000};

        log_emit(order->priority, &fields, "%s after %llu ms", order->reason, (unsigned long long)order->duration_ms);
}

/* True if one that is ready although its process is not known yet may wait for that: its template has a time for each
 * answer, but not for all. The answer brings a turn. */
static bool may_be_unknown(const struct worker *worker, const struct order *order)
{
        return worker->life.state == WORKER_LAUNCHING &&
               order->duration_ms <
                       saturated_add(worker->pool->config->start_timeout_ms, worker->pool->config->start_timeout_ms);
}

void deadlines_give_up(struct worker *worker, const struct order *order, uint64_t now_ms)
{
        bool is_shut_out = worker_give_up_start(worker);

        if (!is_shut_out && may_be_unknown(worker, order))
                return;
        pool_touch(worker->pool);
        if (!is_shut_out)
                worker_note_ready(worker, now_ms);
        if (!worker_life_is_starting(&worker->life))
                return;
        deadlines_tell(worker, order);
        program_explain(worker);
        count(worker->pool, order->event);
        worker_event(worker, order->event, now_ms);
}

void deadlines_tell_slow(struct worker *worker, const struct order *order, const struct worker_row *row)
{
        const struct log_fields fields = {.message_id = MESSAGE_ID_REQUEST_SLOW,
                                          .pool = worker->pool->name,
                                          .worker_pid = worker->pid,
                                          .generation = worker->generation,
                                          .request_duration_us = order->duration_ms * 1000};
        _cleanup_(text_clear) struct text tree = {0};

        worker->slow_request = row->request;
        worker->slow_thread = row->thread;
        pool_counters_note(worker->pool, COUNTER_slow);
        int r = process_tree_describe(worker->pid, &tree);
        log_emit(LOG_WARNING, &fields, "request_slowlog_timeout: busy for %llu ms: %s",
                 (unsigned long long)order->duration_ms, r < 0 ? "its processes are not known" : text_string(&tree));
}

static void set_notify_busy(struct pool *pool, uint32_t value)
{
        for (unsigned i = 0; i < pool->boards.count; i++)
                atomic_store(&pool->boards.items[i]->memory->notify_busy, value);
}

void deadlines_hush(struct pool *pool)
{
        set_notify_busy(pool, 0);
}

/* True if the worker has begun a request that the snapshot does not show. */
static bool has_begun_one(const struct worker_row *row)
{
        const struct worker *worker = row->worker;

        return worker && !worker_life_is_starting(&worker->life) && worker_busy_slots(worker) > 0 &&
               (!row->busy || worker_begun(worker) != row->requests);
}

void deadlines_publish(struct pool *pool)
{
        const struct worker_rows *rows = &pool->turn.rows;

        if (!pool->turn.levels.notify_busy)
                return;
        /* A request that has begun since the snapshot is found below; one that begins from now on wakes the master. */
        set_notify_busy(pool, 1);
        for (uint32_t i = 0; i < rows->count; i++)
                if (has_begun_one(&rows->items[i])) {
                        pool_touch(pool);
                        return;
                }
}
