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
#include "logic/config/config_options.h"
#include "logic/policy/slot_allocator.h"
#include "master/loop/evloop.h"
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

void pool_begin_turn(struct pool *pool)
{
        pool->touched = false;
        /* By exchange, and before anything is counted: a worker that sets a flag afterwards wakes the master again. In
         * every turn, also if no worker has woken the master: one that is killed after it has set a flag, and before it
         * has written to the pipe, would keep all others silent, but its end leads to a turn. */
        for (int i = 0; i < PREFORK_WAKE_COUNT; i++)
                atomic_exchange(&pool->board.memory->wake[i], 0);
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

/* Create the scoreboard and the pipe, unless they were adopted. */
static int open_shared(struct pool *pool, const struct pool_fds *fds)
{
        struct pool_board *board = &pool->board;

        int r = wake_pipe_open(&board->wake, pool->runtime->loop, fds->wake_read, fds->wake_write, on_wake, pool);
        if (r < 0)
                return r;
        return board->fd >= 0 ? scoreboard_memory_adopt(board->fd, &board->memory)
                              : scoreboard_memory_open(pool->name, &board->memory, &board->fd);
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
                              .board = {.fd = fds->board}};
        pool->name = strdup(config->name);
        int r = open_shared(pool, fds);
        if (r == 0 && !pool->name)
                r = -ENOMEM;
        if (r == 0)
                r = slot_allocator_new(PREFORK_SCOREBOARD_SLOTS, &pool->workers.slots);
        if (r == 0)
                r = evloop_timer_new(runtime->loop, on_timer, pool, &pool->timer);
        if (r < 0) {
                pool_free(pool);
                return r;
        }
        pool->scaler.refused_before = atomic_load(&pool->board.memory->refused);
        *ret = pool;
        return 0;
}

int pool_new(const struct pool_runtime *runtime, const struct pool_config *config, struct pool **ret)
{
        return pool_adopt(runtime, config, &(struct pool_fds){.board = -1, .wake_read = -1, .wake_write = -1}, ret);
}

void pool_publish(struct pool *pool)
{
        scoreboard_memory_restore(pool->board.memory);
        atomic_store(&pool->board.memory->slot_limit, pool->board.slot_limit);
        atomic_store(&pool->board.memory->max_requests, pool->config->max_requests);
        atomic_store(&pool->board.memory->max_requests_jitter_percent,
                     (uint32_t)pool->config->max_requests_jitter_percent);
        atomic_store(&pool->board.memory->max_worker_memory_bytes, pool->config->max_worker_memory_bytes);
        atomic_store(&pool->board.memory->max_worker_age_ns, pool->config->max_worker_age_ms * 1000000);
        atomic_store(&pool->board.memory->max_connections_per_source,
                     (uint32_t)pool->config->max_connections_per_source);
}

void pool_start(struct pool *pool)
{
        pool_publish(pool);
        pool_touch(pool);
}

void pool_apply_config(struct pool *pool)
{
        pool_publish(pool);
        pool_touch(pool);
}

void pool_set_config(struct pool *pool, const struct pool_config *config)
{
        overlay_clear(&pool->overlay);
        pool->configured = config;
        pool->config = config;
}

void pool_set_overlay(struct pool *pool, const struct overlay *overlay)
{
        overlay_clear(&pool->overlay);
        pool->overlay = *overlay;
        pool->config = overlay_is_empty(&pool->overlay) ? pool->configured : &pool->overlay.limits;
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
        listener_set_close(&pool->listeners);
        listener_set_close(&pool->closing);
        evloop_timer_free(pool->timer);
        wake_pipe_close(&pool->board.wake);
        fd_closep(&pool->board.fd);
        scoreboard_memory_close(pool->board.memory);
        slot_allocator_free(pool->workers.slots);
        overlay_clear(&pool->overlay);
        turn_clear(&pool->turn);
        pool_config_free(pool->own_config);
        free(pool->name);
        free(pool);
}
