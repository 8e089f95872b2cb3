#include "master/pool/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/secret.h"
#include "logic/config/config_options.h"
#include "logic/policy/slot_allocator.h"
#include "master/loop/evloop.h"
#include "master/pool/connection_reader.h"
#include "master/pool/worker_output.h"
#include "os/clock.h"
#include "os/scoreboard_memory.h"

void pool_record_fields(struct pool *pool, const struct log_fields *fields, bool of_template, int priority,
                        const char *format, va_list arguments)
{
        char text[DECISION_TEXT_SIZE];

        vsnprintf(text, sizeof(text), format, arguments);
        (of_template ? decision_ring_add_template : decision_ring_add)(&pool->decisions, clock_now_ms(), "%s", text);
        log_emit(priority, fields, "%s", text);
}

void pool_record_event(struct pool *pool, enum message_id id, int priority, const char *format, ...)
{
        const struct log_fields fields = {.message_id = id, .pool = pool->name, .generation = pool->generation};
        va_list arguments;

        va_start(arguments, format);
        pool_record_fields(pool, &fields, false, priority, format, arguments);
        va_end(arguments);
}

static void on_timer(void *context)
{
        struct pool *pool = context;

        pool->runtime->turn(pool);
}

/* A worker has woken the master. */
static void on_wake(void *context, bool storm)
{
        struct pool *pool = context;

        if (storm)
                pool_record(pool, LOG_WARNING, "workers wake the master all the time: it looks every %d ms",
                            WAKE_LIMIT_PAUSE_MS);
        pool->runtime->turn(pool);
}

static void on_records(void *context)
{
        struct pool *pool = context;

        connection_reader_look(&pool->connections);
}

static void on_hangup(void *context)
{
        pool_suspect_listeners(context);
}

void pool_begin_generation(struct pool *pool)
{
        pool->generation++;
}

void pool_touch(struct pool *pool)
{
        if (!pool->touched)
                evloop_timer_set(pool->timer, 0);
        pool->touched = true;
}

bool pool_is_deaf(const struct pool *pool)
{
        for (size_t i = 0; i < pool->listeners.count; i++)
                if (!pool->listeners.items[i].dead)
                        return false;
        return pool->mode == POOL_OPEN;
}

void pool_suspect_listeners(struct pool *pool)
{
        pool->listening.look = MAX_OF(pool->listening.look, LOOK_LISTENS);
        pool_touch(pool);
}

void pool_begin_turn(struct pool *pool)
{
        pool->touched = false;
        /* By exchange, and before anything is counted: a worker that sets a flag afterwards wakes the master again. In
         * every turn, also if no worker has woken the master: one that is killed after it has set a flag, and before it
         * has written to the pipe, would keep all others silent, but its end leads to a turn. */
        for (unsigned b = 0; b < pool->boards.count; b++)
                for (int i = 0; i < PREFORK_WAKE_COUNT; i++)
                        atomic_exchange(&pool->boards.items[b]->memory->wake[i], 0);
        connection_reader_turn(&pool->connections);
}

void pool_end_turn(struct pool *pool, uint64_t next_ms)
{
        if (pool->touched) /* another turn was requested during this one */
                return;
        if (next_ms == POOL_NEVER_MS)
                evloop_timer_unset(pool->timer);
        else
                evloop_timer_set(pool->timer, next_ms);
}

/* Create the scoreboard and the pipe, unless they were adopted; owns the descriptors. */
static int open_shared(struct pool *pool, const struct pool_fds *fds)
{
        _cleanup_(fd_closep) int board_fd = fds->board;

        int r = wake_pipe_open(&pool->wake, pool->runtime->loop, fds->wake_read, fds->wake_write, on_wake, on_records,
                               pool);
        if (r < 0)
                return r;
        return board_fd >= 0 ? boards_adopt(&pool->boards, TAKE_FD(board_fd)) : boards_open(&pool->boards, pool->name);
}

static void close_fds(struct pool_fds fds)
{
        fd_closep(&fds.board);
        fd_closep(&fds.wake_read);
        fd_closep(&fds.wake_write);
}

int pool_adopt(const struct pool_runtime *runtime, const struct pool_config *config, const struct pool_fds *fds,
               struct pool **ret)
{
        struct pool *pool = calloc(1, sizeof(*pool));

        if (!pool) {
                close_fds(*fds);
                return -ENOMEM;
        }
        *pool = (struct pool){.runtime = runtime,
                              .launcher = runtime->launcher,
                              .configured = config,
                              .config = config,
                              .generation = 1,
                              .listening = {.hangups = {.set = -1}}};
        pool->budget.owner = pool;
        if (runtime->budget)
                budget_add(runtime->budget, &pool->budget);
        pool->name = strdup(config->name);
        int r = open_shared(pool, fds);
        if (r == 0 && !pool->name)
                r = -ENOMEM;
        if (r == 0)
                r = slot_allocator_new(PREFORK_SCOREBOARD_SLOTS, &pool->workers.slots);
        if (r == 0)
                r = evloop_timer_new(runtime->loop, on_timer, pool, &pool->timer);
        if (r == 0)
                r = connection_reader_open(&pool->connections, runtime->loop, &pool->config, &pool->boards);
        if (r == 0)
                r = hangup_watch_open(&pool->listening.hangups, runtime->loop, on_hangup, pool);
        if (r < 0) {
                pool_free(pool);
                return r;
        }
        *ret = pool;
        return 0;
}

int pool_new(const struct pool_runtime *runtime, const struct pool_config *config, struct pool **ret)
{
        return pool_adopt(runtime, config, &(struct pool_fds){.board = -1, .wake_read = -1, .wake_write = -1}, ret);
}

static void publish_rates(struct rate_table *rates, const struct pool_config *config)
{
        const struct rate *of_pool = &config->rate_limit, *of_source = &config->rate_limit_per_source;

        rate_words_set(&rates->of_pool, of_pool->count, of_pool->period_ms, of_pool->burst);
        rate_words_set(&rates->of_source, of_source->count, of_source->period_ms, of_source->burst);
        atomic_store(&rates->prefix_ipv4, (uint32_t)config->source_prefix.ipv4);
        atomic_store(&rates->prefix_ipv6, (uint32_t)config->source_prefix.ipv6);
}

static void publish(const struct board *board, const struct pool_config *config)
{
        struct prefork_scoreboard *memory = board->memory;

        scoreboard_memory_restore(memory);
        atomic_store(&memory->slot_limit, board->slot_limit);
        atomic_store(&memory->max_requests, config->max_requests);
        atomic_store(&memory->max_requests_jitter_percent, (uint32_t)config->max_requests_jitter_percent);
        atomic_store(&memory->max_worker_memory_bytes, config->max_worker_memory_bytes);
        atomic_store(&memory->max_worker_age_ns, config->max_worker_age_ms * 1000000);
        atomic_store(&memory->max_connections_per_source, (uint32_t)config->max_connections_per_source);
        atomic_store(&memory->queue_timeout_ms, (uint32_t)config->queue_timeout_ms);
        publish_rates(rate_table_of(memory), config);
}

void pool_publish(struct pool *pool)
{
        for (unsigned i = 0; i < pool->boards.count; i++)
                publish(pool->boards.items[i], pool->config);
}

void pool_start(struct pool *pool)
{
        worker_output_limit(pool->runtime->outputs, pool->config);
        pool_publish(pool);
        pool_touch(pool);
}

void pool_apply_config(struct pool *pool)
{
        worker_output_limit(pool->runtime->outputs, pool->config);
        pool_publish(pool);
        pool_touch(pool);
}

void pool_use_config(struct pool *pool)
{
        pool->config = overlay_is_empty(&pool->overlay) ? pool->configured : &pool->overlay.limits;
        if (!fallback_is_any(&pool->fallback))
                return;
        pool->lesser = *pool->config; /* borrows what it points to */
        fallback_apply(&pool->fallback, &pool->lesser);
        pool->config = &pool->lesser;
}

void pool_set_config(struct pool *pool, const struct pool_config *config)
{
        connection_reader_flush(&pool->connections);
        overlay_clear(&pool->overlay);
        pool->configured = config;
        pool_use_config(pool);
}

void pool_set_overlay(struct pool *pool, const struct overlay *overlay)
{
        overlay_clear(&pool->overlay);
        pool->overlay = *overlay;
        pool_use_config(pool);
}

struct scale_limits pool_scale_limits(const struct pool *pool)
{
        return scale_limits_of(pool->config);
}

void pool_free(struct pool *pool)
{
        if (!pool)
                return;
        assert(!pool->workers.first);
        if (pool->runtime->budget)
                budget_remove(pool->runtime->budget, &pool->budget);
        connection_reader_flush(&pool->connections);
        connection_reader_close(&pool->connections);
        listener_set_close(&pool->listeners);
        listener_set_close(&pool->closing);
        listener_set_close(&pool->listening.missing);
        hangup_watch_close(&pool->listening.hangups);
        templates_clear(&pool->templates);
        evloop_timer_free(pool->timer);
        wake_pipe_close(&pool->wake);
        boards_close(&pool->boards);
        slot_allocator_free(pool->workers.slots);
        secret_free(pool->workers.tallies);
        overlay_clear(&pool->overlay);
        turn_clear(&pool->turn);
        pool_config_free(pool->own_config);
        free(pool->name);
        free(pool);
}
