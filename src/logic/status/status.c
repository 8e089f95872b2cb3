#include "logic/status/status.h"

#include <assert.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"

enum status_pool_state status_pool_state_of(const struct status_pool_context *context)
{
        if (context->closing)
                return STATUS_POOL_CLOSING;
        if (context->paused)
                return STATUS_POOL_PAUSED;
        if (context->not_listening)
                return STATUS_POOL_NOT_LISTENING;
        if (context->backing_off)
                return STATUS_POOL_BACKING_OFF;
        if (context->draining)
                return STATUS_POOL_DRAINING;
        return context->saturated ? STATUS_POOL_SATURATED : STATUS_POOL_RUNNING;
}

enum status_worker_state status_worker_state_of(enum worker_state lifecycle, bool busy, bool refuses, bool stopped)
{
        static const enum status_worker_state states[] = {
                [WORKER_LAUNCHING] = STATUS_WORKER_LAUNCHING, [WORKER_STARTING] = STATUS_WORKER_STARTING,
                [WORKER_READY] = STATUS_WORKER_IDLE,          [WORKER_DETACHED] = STATUS_WORKER_DETACHED,
                [WORKER_RETIRING] = STATUS_WORKER_RETIRING,   [WORKER_TERMINATING] = STATUS_WORKER_TERMINATING,
                [WORKER_KILLING] = STATUS_WORKER_KILLING,     [WORKER_ENDING] = STATUS_WORKER_ENDING,
                [WORKER_KILLED] = STATUS_WORKER_KILLED,       [WORKER_GONE] = STATUS_WORKER_KILLED,
        };
        static_assert(ELEMENTS(states) == WORKER_STATE_COUNT, "a word for every enum worker_state");

        if (stopped)
                return STATUS_WORKER_STOPPED;
        if (refuses)
                return STATUS_WORKER_REFUSING;
        return lifecycle == WORKER_READY && busy ? STATUS_WORKER_BUSY : states[lifecycle];
}

uint64_t status_pool_available(const struct status *status, const struct status_pool *pool)
{
        uint64_t total = pool->counts.total, most = pool->limits.max_workers;
        uint64_t idle = pool->counts.idle, more = most - MIN_OF(total, most);

        if (status->total.max > 0) /* which all pools share */
                more = MIN_OF(more, status->total.max - MIN_OF(status->total.used, status->total.max));
        if (pool->pressure.held)
                more = 0;
        more -= more % MAX_OF(pool->limits.unit, 1U); /* which come as a whole */

        switch (pool->state) {
        case STATUS_POOL_RUNNING:
        case STATUS_POOL_SATURATED:
        case STATUS_POOL_DRAINING:
                return idle + pool->counts.starting + more;
        case STATUS_POOL_BACKING_OFF:
                return idle;
        default:
                return 0;
        }
}

bool status_pool_is_shadowed(const struct status *status, size_t index)
{
        const struct status_pool *pool = &status->pools[index];

        for (size_t i = 0; i < status->pool_count; i++) {
                const struct status_pool *other = &status->pools[i];
                bool goes_first = pool->state == STATUS_POOL_CLOSING && other->state != STATUS_POOL_CLOSING;
                bool is_like_it = (pool->state == STATUS_POOL_CLOSING) == (other->state == STATUS_POOL_CLOSING);
                if (i != index && text_equal(pool->name, other->name) && (goes_first || (is_like_it && i < index)))
                        return true;
        }
        return false;
}

const struct status_pool *status_find_pool(const struct status *status, const char *name)
{
        for (size_t i = 0; i < status->pool_count; i++)
                if ((!name || text_equal(status->pools[i].name, name)) && !status_pool_is_shadowed(status, i))
                        return &status->pools[i];
        return NULL;
}

const char *status_pool_state_name(enum status_pool_state state)
{
        static const char *const names[] = {
                [STATUS_POOL_RUNNING] = "running",
                [STATUS_POOL_SATURATED] = "saturated",
                [STATUS_POOL_DRAINING] = "draining",
                [STATUS_POOL_BACKING_OFF] = "backing off",
                [STATUS_POOL_PAUSED] = "paused",
                [STATUS_POOL_CLOSING] = "closing",
                [STATUS_POOL_NOT_LISTENING] = "not listening",
        };
        static_assert(ELEMENTS(names) == STATUS_POOL_STATE_COUNT, "a name for every enum status_pool_state");

        return names[state];
}

const char *status_worker_state_name(enum status_worker_state state)
{
        static const char *const names[] = {
                [STATUS_WORKER_LAUNCHING] = "launching", [STATUS_WORKER_STARTING] = "starting",
                [STATUS_WORKER_IDLE] = "idle",           [STATUS_WORKER_BUSY] = "busy",
                [STATUS_WORKER_HOLDING] = "holding",     [STATUS_WORKER_UNWATCHED] = "unwatched",
                [STATUS_WORKER_STOPPED] = "stopped",     [STATUS_WORKER_DETACHED] = "detached",
                [STATUS_WORKER_RETIRING] = "retiring",   [STATUS_WORKER_TERMINATING] = "terminating",
                [STATUS_WORKER_KILLING] = "killing",     [STATUS_WORKER_ENDING] = "ending",
                [STATUS_WORKER_KILLED] = "killed",       [STATUS_WORKER_REFUSING] = "refusing",
        };
        static_assert(ELEMENTS(names) == STATUS_WORKER_STATE_COUNT, "a name for every enum status_worker_state");

        return names[state];
}

static const char *const scaling_names[] = {[SCALING_DYNAMIC] = "dynamic",
                                            [SCALING_STATIC] = "static",
                                            [SCALING_ONDEMAND] = "ondemand",
                                            [SCALING_ADAPTIVE] = "adaptive"};

const char *status_scaling_name(int scaling)
{
        return scaling_names[scaling];
}

int status_scaling_find(const char *name)
{
        for (int i = 0; i < (int)ELEMENTS(scaling_names); i++)
                if (text_equal(name, scaling_names[i]))
                        return i;
        return -1;
}

void status_add_up(struct status *status, const struct status_pool *pool)
{
        struct status_counts *counts = &status->counts;

        counts->starting += pool->counts.starting;
        counts->idle += pool->counts.idle;
        counts->busy += pool->counts.busy;
        counts->unwatched += pool->counts.unwatched;
        counts->throttled += pool->counts.throttled;
        counts->detached += pool->counts.detached;
        counts->retiring += pool->counts.retiring;
        counts->total += pool->counts.total;
        counts->old_total += pool->counts.old_total;
        counters_add(&status->totals, &pool->totals);
        status->requests_per_second += pool->rate.per_second;
}

void status_pool_clear(struct status_pool *pool)
{
        for (size_t i = 0; i < pool->overlay_count; i++) {
                free(pool->overlay[i].configured);
                free(pool->overlay[i].overlaid);
        }
        free(pool->overlay);
        free(pool->templates);
        free(pool->start_method.why);
        free(pool->copy.why);
        free(pool->listeners);
        free(pool->workers);
        free(pool->history);
        *pool = (struct status_pool){0};
}

void status_clear(struct status *status)
{
        for (size_t i = 0; i < status->pool_count; i++)
                status_pool_clear(&status->pools[i]);
        free(status->pools);
        *status = (struct status){0};
}
