#include "logic/policy/deadline.h"

#include <stddef.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/rate_table.h"
#include "base/saturating.h"
#include "logic/policy/turn.h"

/* A retiring worker that still reports idle after this long does not run; it may be stopped (SIGSTOP). */
#define RETIRE_STUCK_MS 5000

static void check(struct turn *turn, uint32_t row, bool *armed);

/* A request took too long, or did not end within kill_timeout. */
static void escalate(struct turn *turn, uint32_t row, enum worker_event event, const char *what)
{
        if (event != WORKER_EVENT_REQUEST_TIMEOUT || !turn->rows.items[row].interrupted)
                turn_tell_worker(turn, row, event, LOG_WARNING, turn->now_ms - turn->rows.items[row].since_ms, what);
        turn_feed(turn, row, event);
        if (turn->rows.items[row].life.state == WORKER_ENDING)
                turn_ask_at(turn, saturated_add(turn->now_ms, WORKER_ENDING_GRACE_MS));
        else
                turn_ask_at(turn, saturated_add(turn->now_ms, turn->config->kill_timeout_ms));
}

/* The request that was escalated or detached has ended: a worker may be idle, or there may be room for another one. */
static void end_request(struct turn *turn, uint32_t row)
{
        turn_feed(turn, row, WORKER_EVENT_REQUEST_ENDED);
        turn->again = true;
}

/* A request that takes long is told of once. */
static void check_slow(struct turn *turn, uint32_t row, bool *armed)
{
        const struct worker_row *item = &turn->rows.items[row];
        uint64_t slow_ms = turn->config->request_slowlog_timeout_ms;

        if (slow_ms == 0 || (item->request == item->slow_request && item->thread == item->slow_thread))
                return;
        if (turn_is_due(turn, saturated_add(item->since_ms, slow_ms)))
                turn_tell_slow(turn, row);
        else
                *armed = true;
}

/* A request that is being served. */
static void check_request(struct turn *turn, uint32_t row, bool *armed)
{
        const struct worker_row *item = &turn->rows.items[row];
        uint64_t timeout_ms = turn->config->request_timeout_ms, detach_ms = turn->config->detach_after_ms;

        check_slow(turn, row, armed);
        if (timeout_ms > 0 && turn_is_due(turn, saturated_add(item->since_ms, timeout_ms))) {
                escalate(turn, row, WORKER_EVENT_REQUEST_TIMEOUT, "request_timeout: TERM to the handler");
                turn->again |= worker_row_slots(item) > 1; /* the next snapshot shows what else it serves */
                return;
        }
        *armed |= timeout_ms > 0;
        if (detach_ms == 0 || item->life.state != WORKER_READY)
                return;
        if (!turn_is_due(turn, saturated_add(item->since_ms, detach_ms)))
                *armed = true;
        else if (turn->rows.counts.detached + worker_row_slots(item) <= turn->config->max_detached_workers) {
                turn_tell_worker(turn, row, WORKER_EVENT_DETACH, LOG_INFO, turn->now_ms - item->since_ms, "detached");
                turn_feed(turn, row, WORKER_EVENT_DETACH);
                turn->again = true; /* the scaler may start another worker */
        }
}

/* Another request of a worker with threads, of which one was escalated: it has its own time. */
static void check_other(struct turn *turn, uint32_t row, bool *armed)
{
        const struct worker_row *item = &turn->rows.items[row];
        uint64_t timeout_ms = turn->config->request_timeout_ms;

        if (!item->other.present || timeout_ms == 0)
                return;
        *armed = true;
        if (!turn_is_due(turn, saturated_add(item->other.since_ms, timeout_ms)))
                return;
        turn_tell_worker(turn, row, WORKER_EVENT_REQUEST_TIMEOUT, LOG_WARNING, turn->now_ms - item->other.since_ms,
                         "request_timeout: TERM to the handler");
        turn_interrupt(turn, row);
}

/* A request whose handler was sent TERM or KILL. */
static void check_escalation(struct turn *turn, uint32_t row, bool *armed)
{
        const struct worker_row *item = &turn->rows.items[row];

        if (!item->busy || item->request != item->escalated_request) {
                end_request(turn, row);
                /* The next request may have begun before notify_busy was set again, so no wake-up announced it: check
                 * it now. */
                check(turn, row, armed);
                return;
        }
        check_other(turn, row, armed);
        if (turn_is_due(turn, saturated_add(item->life.since_ms, turn->config->kill_timeout_ms)))
                escalate(turn, row, WORKER_EVENT_KILL_TIMEOUT,
                         item->life.state == WORKER_TERMINATING ? "kill_timeout: KILL to the handler"
                                                                : "kill_timeout: KILL to the worker");
}

/* A retiring worker that serves no request, as far as is known. One that reports nothing may serve one for as long as
 * any request may take. */
static void check_retirement(struct turn *turn, uint32_t row)
{
        const struct worker_row *item = &turn->rows.items[row];
        uint64_t since_ms = MAX_OF(item->life.since_ms, item->since_ms);
        uint64_t patience_ms = item->unwatched ? turn->config->request_timeout_ms : RETIRE_STUCK_MS;

        if (item->throttled > 0) /* until it lets its connection pass */
                patience_ms += RATE_LAST_HOLD_MS;

        if (patience_ms == 0 || !turn_is_due(turn, saturated_add(since_ms, patience_ms)))
                return;
        turn_tell_worker(turn, row, WORKER_EVENT_STUCK, LOG_WARNING, turn->now_ms - since_ms,
                         "does not retire: killed");
        turn_feed(turn, row, WORKER_EVENT_STUCK);
        turn_ask_at(turn, saturated_add(turn->now_ms, WORKER_ENDING_GRACE_MS));
}

/* A worker that a template has made may have waited for the template's start, which has a time of its own. */
static void check_start(struct turn *turn, uint32_t row)
{
        const struct worker_row *item = &turn->rows.items[row];
        uint64_t since_ms = MAX_OF(item->launched_ms, item->life.since_ms);

        if (turn_is_due(turn, saturated_add(since_ms, turn->config->start_timeout_ms)))
                turn_give_up(turn, row, turn->now_ms - since_ms, "start_timeout: not ready");
}

static void check(struct turn *turn, uint32_t row, bool *armed)
{
        const struct worker_row *item = &turn->rows.items[row];

        switch (item->life.state) {
        case WORKER_LAUNCHING:
        case WORKER_STARTING:
                check_start(turn, row);
                break;
        case WORKER_DETACHED:
                if (!item->busy)
                        end_request(turn, row);
                __attribute__((fallthrough));
        case WORKER_READY:
        case WORKER_RETIRING:
                if (item->busy)
                        check_request(turn, row, armed);
                else if (item->life.state == WORKER_RETIRING)
                        check_retirement(turn, row);
                break;
        case WORKER_TERMINATING:
        case WORKER_KILLING:
                check_escalation(turn, row, armed);
                break;
        case WORKER_ENDING:
                if (turn_is_due(turn, saturated_add(item->life.since_ms, WORKER_ENDING_GRACE_MS)))
                        turn_feed(turn, row, WORKER_EVENT_GRACE_OVER);
                break;
        case WORKER_KILLED: /* a process that survives KILL hangs in the kernel */
        case WORKER_GONE:
        case WORKER_STATE_COUNT:
                break;
        }
}

void deadline_decide(struct turn *turn)
{
        const struct pool_config *config = turn->config;
        bool wanted =
                config->request_timeout_ms > 0 || config->detach_after_ms > 0 || config->request_slowlog_timeout_ms > 0;
        bool armed = false;
        uint32_t count = turn->rows.count;

        for (uint32_t i = 0; i < count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                if (row->purpose != WORKER_REFUSE || row->life.state == WORKER_ENDING)
                        check(turn, i, &armed);
        }
        turn->levels.notify_busy = wanted && !armed;
}
