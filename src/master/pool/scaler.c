#include "master/pool/scaler.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "lib/idle_set.h"
#include "logic/policy/level_shares.h"
#include "master/loop/evloop.h"
#include "master/pool/pool.h"
#include "master/pool/worker_table.h"
#include "os/clock.h"
#include "os/net/listener_check.h"

#define SHORT_OF_MEMORY_MS 100
#define ERRORS_UNREAD_MS 100

/* Or one of the listeners has hung up. */
static void on_connection_waits(void *context)
{
        pool_suspect_listeners(context);
}

static struct listener_set *watched_set(struct pool *pool)
{
        return pool->mode == POOL_OPEN ? &pool->listeners : &pool->closing;
}

/* Errors that a program has not read would wake us without end. A program that runs may still read them; demand beyond
 * what it serves is seen a little later. */
static bool is_disturbed(struct pool *pool, const struct pool_listener *item)
{
        if (!listener_has_errors(&item->listener))
                return false;
        if (pool->workers.first) {
                turn_ask_at(&pool->turn, saturated_add(pool->turn.now_ms, ERRORS_UNREAD_MS));
                return true;
        }
        listener_forget_errors(&item->listener);
        return false;
}

/* Without the watch nothing would tell of a client, so it is tried again. */
static void watch(struct pool *pool, struct pool_listener *item)
{
        if (item->watch)
                evloop_watch_resume(item->watch);
        else if (evloop_watch_new(pool->runtime->loop, item->listener.fd, on_connection_waits, pool, &item->watch) < 0)
                turn_ask_at(&pool->turn, saturated_add(pool->turn.now_ms, SHORT_OF_MEMORY_MS));
}

/* If no worker can wake the master, it watches the listeners itself; it never accepts a connection. */
static void watch_listeners(struct pool *pool, bool wanted)
{
        struct listener_set *set = watched_set(pool);

        for (size_t i = 0; i < set->count; i++) {
                struct pool_listener *item = &set->items[i];
                if (item->dead) /* paused when that was noticed */
                        continue;
                if (wanted && !is_disturbed(pool, item))
                        watch(pool, item);
                else if (item->watch)
                        evloop_watch_pause(item->watch);
        }
}

/* True if the count has changed meanwhile and crosses a threshold, so that another turn is needed. */
static bool publish_share(struct prefork_scoreboard *board, const struct level_share *share)
{
        if (atomic_load(&board->low_below) == share->low_below && atomic_load(&board->high_above) == share->high_above)
                return false;
        atomic_store(&board->low_below, share->low_below);
        atomic_store(&board->high_above, share->high_above);
        uint32_t idle = idle_set_count(board);
        return (share->low_below != UINT32_MAX && idle < share->low_below &&
                !atomic_load(&board->wake[PREFORK_WAKE_LOW])) ||
               (share->high_above != UINT32_MAX && idle > share->high_above);
}

/* Those that say whether they are idle. */
static uint32_t count_reporting(const struct worker_counts *counts)
{
        return counts->idle + counts->busy;
}

/* That level is busy just now. Written as workers write it. */
static void note_level(struct prefork_scoreboard *board, uint32_t level)
{
        if (level > 0 && level <= PREFORK_SCOREBOARD_SLOTS)
                atomic_store_explicit(&board->slots[level - 1].level_busy_ns, clock_now_ns(), memory_order_relaxed);
}

void scaler_begin_turn(struct pool *pool)
{
        const struct prefork_scoreboard *board = boards_present(&pool->boards)->memory;

        pool->reporting_seen = atomic_load(&board->reporting);
}

/* Who has become ready since the turn began has added itself, and is perhaps among the `reporting`, too: then the
 * number stays for the next turn, for which it has woken us. */
static void publish_reporting(struct pool *pool, uint32_t reporting)
{
        struct prefork_scoreboard *board = boards_present(&pool->boards)->memory;
        uint32_t seen = pool->reporting_seen;

        if (reporting != seen)
                atomic_compare_exchange_strong(&board->reporting, &seen, reporting);
}

/* Levels are those of the pool, so with several boards no worker sees them; when they are one again, all were busy. */
static void publish_known(struct pool *pool, uint32_t reporting, uint32_t reached)
{
        bool is_adaptive = pool->turn.limits.scaling == SCALING_ADAPTIVE, is_one = pool->boards.count == 1;
        uint32_t wanted = is_adaptive ? PREFORK_LEVELS_STAMPED : PREFORK_LEVELS_KNOWN;

        for (unsigned i = 0; i < pool->boards.count; i++) {
                struct prefork_scoreboard *board = pool->boards.items[i]->memory;
                uint32_t levels = is_one ? wanted : PREFORK_LEVELS_UNKNOWN;
                if (atomic_load_explicit(&board->levels, memory_order_relaxed) != levels)
                        atomic_store_explicit(&board->levels, levels, memory_order_relaxed);
                note_level(board, is_one ? reached : reporting);
        }
}

static bool publish_levels(const struct boards *boards, const struct turn_levels *levels)
{
        struct level_share shares[BOARDS_MAX];
        bool crossed = false;

        for (unsigned i = 0; i < boards->count; i++) {
                struct prefork_scoreboard *board = boards->items[i]->memory;
                shares[i] = (struct level_share){.idle = idle_set_count(board), .workers = boards->items[i]->workers};
                if (levels->reset_low_water)
                        atomic_store(&board->low_water, shares[i].idle);
        }
        level_shares_divide(shares, boards->count, levels->low_below, levels->high_above);
        for (unsigned i = 0; i < boards->count; i++)
                crossed |= publish_share(boards->items[i]->memory, &shares[i]);
        return crossed;
}

uint32_t scaler_low_water(const struct pool *pool)
{
        uint64_t sum = 0;

        for (unsigned i = 0; i < pool->boards.count; i++)
                sum += atomic_load(&pool->boards.items[i]->memory->low_water);
        return (uint32_t)MIN_OF(sum, (uint64_t)UINT32_MAX);
}

/* The policy does not wait for the low-water mark: so it can be set for the next look. */
static bool is_mark_free(const struct pool *pool)
{
        const struct scale_state *scale = &pool->scaler.scale;

        return scale->relief_at_ms == 0 && (scale->shrink_at_ms == 0 || pool->config->scaling == SCALING_ADAPTIVE);
}

/* With several boards the mark is less than any number was. */
static void note_peaks(struct pool *pool, uint64_t now_ms, const struct worker_counts *counts, uint32_t low_water,
                       unsigned queued)
{
        const struct peaks_view view = {.busy = counts->busy,
                                        .reporting = pool->boards.count == 1 ? count_reporting(counts) : 0,
                                        .low_water = low_water,
                                        .queued = queued};

        peaks_note(&pool->counters.peaks, now_ms, &view);
        if (pool->boards.count == 1 && is_mark_free(pool)) {
                struct prefork_scoreboard *board = boards_present(&pool->boards)->memory;
                uint32_t idle = idle_set_count(board);
                atomic_store(&board->low_water, idle);
                peaks_mark(&pool->counters.peaks, idle);
        }
}

void scaler_note_turn(struct pool *pool)
{
        const struct turn *turn = &pool->turn;

        note_peaks(pool, turn->now_ms, &turn->rows.counts, turn->low_water, turn->queued);
}

void scaler_note_now(struct pool *pool, uint64_t now_ms, const struct worker_counts *counts)
{
        note_peaks(pool, now_ms, counts, scaler_low_water(pool), listener_set_queued(watched_set(pool)));
}

uint64_t scaler_level_idle_ms(const struct pool *pool, unsigned level, unsigned busy, uint64_t now_ms)
{
        const struct prefork_scoreboard *board = boards_present(&pool->boards)->memory;
        uint64_t busy_ns = 0;

        if (pool->boards.count > 1 || level == 0 || busy >= level)
                return 0;
        for (size_t i = level - 1; i < pool->workers.tally_count; i++) {
                uint64_t one_ns = atomic_load_explicit(&board->slots[i].level_busy_ns, memory_order_relaxed);
                busy_ns = MAX_OF(busy_ns, one_ns);
        }
        return busy_ns > 0 ? now_ms - MIN_OF(busy_ns / 1000000, now_ms) : 0;
}

int scaler_take_levels(struct pool *pool)
{
        const struct prefork_scoreboard *board = boards_present(&pool->boards)->memory;
        uint64_t now_ms = pool->turn.now_ms;
        size_t count = MIN_OF((size_t)pool->turn.limits.max_workers, (size_t)pool->workers.tally_count);

        if (pool->turn.limits.scaling != SCALING_ADAPTIVE || count == 0)
                return 0;
        uint64_t *busy_ms = calloc(count, sizeof(*busy_ms));
        if (!busy_ms)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                uint64_t busy_ns = atomic_load_explicit(&board->slots[i].level_busy_ns, memory_order_relaxed);
                busy_ms[i] = MIN_OF(busy_ns / 1000000, now_ms);
        }
        if (pool->boards.count > 1) /* not known */
                busy_ms[count - 1] = now_ms;
        pool->turn.level_busy_ms = busy_ms;
        pool->turn.level_count = count;
        return 0;
}

void scaler_publish(struct pool *pool)
{
        uint32_t reporting = count_reporting(&pool->turn.rows.counts);

        watch_listeners(pool, pool->turn.levels.watch_listeners);
        publish_reporting(pool, reporting);
        publish_known(pool, reporting, pool->turn.levels.reached);
        if (publish_levels(&pool->boards, &pool->turn.levels))
                pool_touch(pool);
}

void scaler_forget(struct pool *pool)
{
        pool->scaler.scale = (struct scale_state){0};
        pool->scaler.adaptive = (struct adaptive_state){0};
}

void scaler_restart(struct pool *pool)
{
        pool->scaler.started = false;
}
