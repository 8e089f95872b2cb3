#include "master/pool/scaler.h"

#include "lib/idle_set.h"
#include "master/loop/evloop.h"
#include "master/pool/pool.h"

static void on_connection_waits(void *context)
{
        pool_touch(context);
}

static struct listener_set *watched_set(struct pool *pool)
{
        return pool->mode == POOL_OPEN ? &pool->listeners : &pool->closing;
}

/* If no worker can wake the master, it watches the listeners itself; it never accepts a connection. */
static void watch_listeners(struct pool *pool, bool wanted)
{
        struct listener_set *set = watched_set(pool);

        for (size_t i = 0; i < set->count; i++) {
                struct pool_listener *item = &set->items[i];
                if (wanted && !item->watch)
                        evloop_watch_new(pool->runtime->loop, item->listener.fd, on_connection_waits, pool,
                                         &item->watch);
                else if (wanted)
                        evloop_watch_resume(item->watch);
                else if (item->watch)
                        evloop_watch_pause(item->watch);
        }
}

/* True if a count has changed meanwhile and crosses a threshold, so that another turn is needed. */
static bool publish_levels(struct prefork_scoreboard *board, const struct turn_levels *levels)
{
        if (levels->reset_low_water)
                atomic_store(&board->low_water, idle_set_count(board));
        if (atomic_load(&board->low_below) == levels->low_below &&
            atomic_load(&board->high_above) == levels->high_above)
                return false;
        atomic_store(&board->low_below, levels->low_below);
        atomic_store(&board->high_above, levels->high_above);
        uint32_t idle = idle_set_count(board);
        return (levels->low_below != UINT32_MAX && idle < levels->low_below &&
                !atomic_load(&board->wake[PREFORK_WAKE_LOW])) ||
               (levels->high_above != UINT32_MAX && idle > levels->high_above);
}

void scaler_publish(struct pool *pool)
{
        watch_listeners(pool, pool->turn.levels.watch_listeners);
        if (publish_levels(pool->board.memory, &pool->turn.levels))
                pool_touch(pool);
}

void scaler_forget(struct pool *pool)
{
        pool->scaler.scale = (struct scale_state){0};
}

void scaler_restart(struct pool *pool)
{
        pool->scaler.started = false;
}
