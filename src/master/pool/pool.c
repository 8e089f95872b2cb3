#include "master/pool/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/idle_set.h"
#include "logic/config/config_options.h"
#include "logic/policy/slot_allocator.h"
#include "master/loop/evloop.h"
#include "master/pool/worker.h"
#include "os/clock.h"
#include "os/scoreboard_memory.h"

void pool_record_event(struct pool *pool, enum message_id id, int priority, const char *format, ...)
{
        char text[160];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        decision_ring_add(&pool->decisions, clock_now_ms(), "%s", text);
        const struct log_fields fields = {.message_id = id, .pool = pool->name, .generation = pool->generation};
        log_emit(priority, &fields, "%s", text);
}

/* Workers that have become able to serve. */
static void note_ready(struct pool *pool)
{
        for (struct worker *worker = pool->workers, *next; worker; worker = next) {
                next = worker->next;
                if (worker->state == WORKER_STARTING && worker->role == WORKER_ROLE_SERVE &&
                    atomic_load(&worker_slot(worker)->activity) != SCOREBOARD_STARTING) {
                        worker_event(worker, WORKER_EVENT_READY);
                        pool->roll_ready += worker->for_roll;
                        worker->for_roll = false;
                }
        }
}

void pool_note_success(struct pool *pool)
{
        uint64_t requests = pool_requests(pool);

        if (requests > pool->requests_seen)
                backoff_success(&pool->backoff);
        pool->requests_seen = requests;
        request_rate_note(&pool->rate, clock_now_ms(), requests);
}

void pool_note_failure(struct pool *pool)
{
        uint64_t now_ms = clock_now_ms();
        bool was_active = backoff_active(&pool->backoff, now_ms);

        pool_note_success(pool); /* what was served before the failure excuses nothing after it */
        pool->totals.start_failures++;
        uint64_t delay_ms = backoff_failure(&pool->backoff, now_ms, pool->config->restart_delay_min_ms,
                                            pool->config->restart_delay_max_ms);
        if (!was_active)
                pool_record_event(pool, MESSAGE_ID_BACKING_OFF, LOG_WARNING,
                                  "backing off: %u failed start%s in a row, next in %llu ms", pool->backoff.failures,
                                  pool->backoff.failures == 1 ? "" : "s", (unsigned long long)delay_ms);
}

void pool_evaluate(struct pool *pool)
{
        static uint64_t (*const steps[])(struct pool *pool, uint64_t now_ms) = {
                recycler_step, rollout_step, scaler_step, deadlines_step, drainer_step};
        uint64_t next_ms = POOL_NEVER_MS, now_ms = clock_now_ms();

        pool->touched = false;
        pool->runtime->observer.changed(pool->runtime->observer.context, pool);
        note_ready(pool);
        pool_note_success(pool);
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                uint64_t step_ms = steps[i](pool, now_ms);
                next_ms = MIN_OF(next_ms, step_ms);
        }
        if (pool_is_done(pool)) {
                pool->runtime->observer.done(pool->runtime->observer.context, pool);
                return;
        }
        if (pool->touched) /* a step asked for another turn */
                return;
        if (next_ms == POOL_NEVER_MS)
                evloop_timer_unset(pool->timer);
        else
                evloop_timer_set(pool->timer, next_ms);
}

static void on_timer(void *context)
{
        struct pool *pool = context;

        pool->runtime->turn(pool);
}

/* A worker has something to say. The flags are cleared by exchange before anything is counted: a worker that sets one
 * afterwards wakes us again. */
static void on_wake(void *context)
{
        struct pool *pool = context;
        uint64_t count;

        ssize_t ignored = read(pool->wake_fd, &count, sizeof(count));
        (void)ignored;
        for (int i = 0; i < SCOREBOARD_WAKE_COUNT; i++)
                atomic_exchange(&pool->board->wake[i], 0);
        pool->runtime->turn(pool);
}

void pool_touch(struct pool *pool)
{
        if (!pool->touched)
                evloop_timer_set(pool->timer, 0);
        pool->touched = true;
}

/* The scoreboard and the eventfd, if there are none yet. */
static int open_shared(struct pool *pool)
{
        int r = pool->board_fd >= 0 ? scoreboard_memory_adopt(pool->board_fd, &pool->board)
                                    : scoreboard_memory_open(pool->name, &pool->board, &pool->board_fd);

        if (r == 0 && pool->wake_fd < 0) {
                pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                r = pool->wake_fd < 0 ? -errno : 0;
        }
        return r;
}

int pool_adopt(const struct pool_runtime *runtime, const struct pool_config *config, int board_fd, int wake_fd,
               struct pool **ret)
{
        struct pool *pool = calloc(1, sizeof(*pool));

        if (!pool) {
                fd_closep(&board_fd);
                fd_closep(&wake_fd);
                return -ENOMEM;
        }
        *pool = (struct pool){.runtime = runtime, .config = config, .board_fd = board_fd, .wake_fd = wake_fd, .generation = 1};
        pool->name = strdup(config->name);
        int r = pool->name ? open_shared(pool) : -ENOMEM;
        if (r == 0)
                r = slot_allocator_new(SCOREBOARD_SLOTS, &pool->slots);
        if (r == 0)
                r = evloop_watch_new(runtime->loop, pool->wake_fd, on_wake, pool, &pool->wake_watch);
        if (r == 0)
                r = evloop_timer_new(runtime->loop, on_timer, pool, &pool->timer);
        if (r < 0) {
                pool_free(pool);
                return r;
        }
        pool->refused_before = atomic_load(&pool->board->refused);
        *ret = pool;
        return 0;
}

int pool_new(const struct pool_runtime *runtime, const struct pool_config *config, struct pool **ret)
{
        return pool_adopt(runtime, config, -1, -1, ret);
}

/* What workers read from the scoreboard instead of being told. */
static void publish_config(struct pool *pool)
{
        atomic_store(&pool->board->max_requests, pool->config->max_requests);
        atomic_store(&pool->board->max_requests_jitter_percent, (uint32_t)pool->config->max_requests_jitter_percent);
        atomic_store(&pool->board->max_worker_memory_bytes, pool->config->max_worker_memory_bytes);
        atomic_store(&pool->board->max_worker_age_ns, pool->config->max_worker_age_ms * 1000000);
        atomic_store(&pool->board->max_connections_per_source, (uint32_t)pool->config->max_connections_per_source);
}

void pool_start(struct pool *pool)
{
        publish_config(pool);
        pool_touch(pool);
}

void pool_apply_config(struct pool *pool)
{
        pool->max_workers_shift = 0;
        publish_config(pool);
        pool_touch(pool);
}

void pool_close_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation)
{
        item = listener_set_move(&pool->listeners, item, &pool->closing);
        item->drain_generation = last_generation;
        item->closing_since_ms = item->drained_since_ms = clock_now_ms();
        if (item->watch) /* who waits there is the drainer's business now, which looks by itself */
                evloop_watch_pause(item->watch);
        pool->runtime->observer.listener_leaves(pool->runtime->observer.context, item);
        item->drained_at = pool_accepted(pool) + listener_set_queued(&pool->listeners) +
                           listener_set_queued(&pool->closing);
        int r = listener_drain(&item->listener);
        if (r < 0)
                pool_record(pool, LOG_WARNING, "cannot keep new connections from %s while it drains (%s): the last of them may "
                            "be reset", item->name, strerror(-r));
}

void pool_drain(struct pool *pool, struct pool_config *own_config, const char *why)
{
        if (own_config) {
                pool->own_config = own_config;
                pool->config = own_config;
        }
        if (pool->draining)
                return;
        pool->draining = true;
        pool->paused = false; /* those who have waited are served now: the listeners go */
        pool_record(pool, LOG_INFO, "draining (%s)", why);
        /* Room was reserved when the listeners were opened: a stop must not fail for want of memory. */
        while (pool->listeners.count > 0)
                pool_close_listener(pool, &pool->listeners.items[0], pool->generation);
        pool_touch(pool);
}

/* What a roll that is under way has started belongs to the old ones now. */
void pool_begin_generation(struct pool *pool)
{
        pool->generation++;
        pool->roll_ready = 0;
        for (struct worker *worker = pool->workers; worker; worker = worker->next)
                worker->for_roll = false;
}

void pool_kill(struct pool *pool)
{
        pool->killing = true;
        for (struct worker *worker = pool->workers, *next; worker; worker = next) {
                next = worker->next;
                worker_event(worker, WORKER_EVENT_STOP_NOW);
        }
        listener_set_close(&pool->closing);
        pool_touch(pool);
}

static void count_worker(const struct worker *worker, struct pool_counts *counts)
{
        if (worker->role != WORKER_ROLE_SERVE)
                return;
        if (!worker_counts(worker)) {
                counts->detached += worker->state == WORKER_DETACHED;
                counts->retiring += worker->state != WORKER_DETACHED;
                return;
        }
        counts->total++;
        counts->old_total += worker->generation < worker->pool->generation;
        counts->ahead += worker->for_roll && worker->state == WORKER_STARTING;
        if (worker->state == WORKER_STARTING)
                counts->starting++;
        else if (worker_is_idle(worker))
                counts->idle++;
        else
                counts->busy++;
}

struct pool_counts pool_count(const struct pool *pool)
{
        struct pool_counts counts = {0};

        for (const struct worker *worker = pool->workers; worker; worker = worker->next)
                count_worker(worker, &counts);
        counts.ahead += (unsigned)pool->roll_ready;
        return counts;
}

struct scale_limits pool_scale_limits(const struct pool *pool)
{
        struct scale_limits limits = scale_limits_of(pool->config);
        int most = (int)limits.max_workers + pool->max_workers_shift;

        limits.max_workers = (unsigned)MAX_OF(most, 1);
        limits.max_spare = MIN_OF(limits.max_spare, limits.max_workers);
        limits.min_spare = MIN_OF(limits.min_spare, limits.max_spare);
        limits.start = MIN_OF(limits.start, limits.max_workers);
        return limits;
}

unsigned pool_room_ahead(const struct pool *pool)
{
        uint64_t most = pool_scale_limits(pool).max_workers + MAX_OF(pool_config_surge(pool->config), (uint64_t)1);
        uint64_t processes = 0;

        for (const struct worker *worker = pool->workers; worker; worker = worker->next)
                processes += worker->role == WORKER_ROLE_SERVE && worker->state != WORKER_DETACHED;
        return processes < most ? (unsigned)(most - processes) : 0;
}

uint64_t pool_requests(const struct pool *pool)
{
        uint64_t sum = pool->totals.requests;

        for (const struct worker *worker = pool->workers; worker; worker = worker->next)
                if (worker->role == WORKER_ROLE_SERVE)
                        sum += atomic_load(&worker_slot(worker)->requests_ended);
        return sum;
}

uint64_t pool_accepted(const struct pool *pool)
{
        uint64_t sum = pool->totals.requests + pool->totals.refused;

        for (const struct worker *worker = pool->workers; worker; worker = worker->next)
                if (worker->role == WORKER_ROLE_SERVE)
                        sum += atomic_load(&worker_slot(worker)->requests_begun) +
                               atomic_load(&worker_slot(worker)->refused);
        return sum;
}

bool pool_is_done(const struct pool *pool)
{
        return pool->draining && pool->worker_count == 0 && pool->closing.count == 0;
}

void pool_free(struct pool *pool)
{
        if (!pool)
                return;
        assert(!pool->workers);
        listener_set_close(&pool->listeners);
        listener_set_close(&pool->closing);
        evloop_timer_free(pool->timer);
        evloop_watch_free(pool->wake_watch);
        fd_closep(&pool->wake_fd);
        fd_closep(&pool->board_fd);
        scoreboard_memory_close(pool->board);
        slot_allocator_free(pool->slots);
        pool_config_free(pool->own_config);
        free(pool->name);
        free(pool);
}
