#include "master/pool/scaler.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/idle_set.h"
#include "master/loop/evloop.h"
#include "master/pool/health.h"
#include "master/pool/launcher.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/worker.h"
#include "master/pool/worker_table.h"

/* Forks between two turns of the loop: some 5 ms of work, so that signals and other pools are not kept waiting. */
#define BATCH 32

/* While all workers are in use and nobody has been seen waiting yet, this often is looked for one. */
#define UNTOLD_LOOK_MS 100

static void on_connection_waits(void *context)
{
        pool_touch(context);
}

static struct listener_set *watched_set(struct pool *pool)
{
        return pool->draining ? &pool->closing : &pool->listeners;
}

/* With no worker to wake us, the master itself waits for a connection to arrive; it never accepts one. */
static void watch_listeners(struct pool *pool, bool wanted)
{
        struct listener_set *set = watched_set(pool);

        for (size_t i = 0; i < set->count; i++) {
                struct pool_listener *item = &set->items[i];
                if (wanted && !item->watch)
                        evloop_watch_new(pool->runtime->loop, item->listener.fd, on_connection_waits, pool, &item->watch);
                else if (wanted)
                        evloop_watch_resume(item->watch);
                else if (item->watch)
                        evloop_watch_pause(item->watch);
        }
}

/* Idle workers to retire, those of older generations first. */
static void retire_idle(struct pool *pool, unsigned count, const char *reason)
{
        for (int old_only = 1; old_only >= 0; old_only--)
                for (struct worker *worker = pool->workers.first; worker && count > 0; worker = worker->next)
                        if (worker_counts(worker) && worker_is_idle(worker) &&
                            (!old_only || worker->generation < pool->generation)) {
                                worker_retire(worker, reason);
                                count--;
                        }
}

static unsigned fork_batch(struct pool *pool, unsigned wanted)
{
        unsigned forked = 0;

        while (forked < MIN_OF(wanted, BATCH)) {
                const struct listener_set *listeners = pool->draining ? &pool->closing : NULL;
                if (launcher_start(pool, WORKER_SERVE, listeners, "scale", NULL) < 0)
                        break;
                forked++;
        }
        return forked;
}

static void tell_saturation(struct pool *pool, unsigned workers, uint64_t waiting, uint64_t refused)
{
        uint64_t count = waiting > 0 ? waiting : refused;
        const char *waits = waiting == 1 ? " waits" : "s wait", *was_refused = refused == 1 ? " was refused" : "s were refused";

        pool->scaler.saturation_told = true;
        pool_counters_note(pool, COUNTER_saturations);
        pool_record_event(pool, MESSAGE_ID_SATURATED, LOG_WARNING,
                          "saturated: %u worker%s in use, %llu connection%s; consider raising max_workers", workers,
                          workers == 1 ? " is" : "s are all", (unsigned long long)count,
                          waiting > 0 ? waits : was_refused);
}

static void tell_relief(struct pool *pool, uint64_t refused)
{
        pool->scaler.saturation_told = false;
        pool->scaler.refused_before += refused;
        if (refused > 0)
                pool_record_event(pool, MESSAGE_ID_RELIEVED, LOG_INFO, "no longer saturated; %llu connection%s refused",
                                  (unsigned long long)refused, refused == 1 ? " was" : "s were");
        else
                pool_record_event(pool, MESSAGE_ID_RELIEVED, LOG_INFO, "no longer saturated");
}

/* An episode is worth a warning once somebody waits: a pool of one is in full use during every request. Where the refuser
 * was faster than this look, nobody waits any more, but somebody was refused. Its end is told when the refuser has gone,
 * so that nobody is refused outside an episode. */
static void handle_saturation(struct pool *pool, const struct scale_decision *decision, const struct scale_input *input)
{
        uint64_t all_refused = atomic_load(&pool->board.memory->refused);
        uint64_t refused = all_refused - MIN_OF(pool->scaler.refused_before, all_refused);

        /* What idle and starting workers are about to take does not wait. */
        bool somebody_waits = input->queued > input->idle + input->starting + decision->start;
        if (!pool->scaler.saturation_told && ((pool->scaler.state.saturated && somebody_waits) || refused > 0))
                tell_saturation(pool, input->total + decision->start, input->queued, refused);
        if (pool->scaler.saturation_told && !pool->scaler.state.saturated && !pool->workers.refuser)
                tell_relief(pool, refused);
}

/* A full pool that refuses has a process for it, and no other pool has. */
static void keep_refuser(struct pool *pool)
{
        bool wanted = pool->scaler.state.saturated && pool->config->when_full == FULL_REFUSE && !pool->draining;

        if (wanted && !pool->workers.refuser)
                launcher_start(pool, WORKER_REFUSE, NULL, "refuse", NULL);
        else if (!wanted && pool->workers.refuser)
                worker_retire(pool->workers.refuser, "refuse");
}

/* Publish what wakes us. Returns true if a count that has changed meanwhile asks for another look. */
static bool publish(struct pool *pool, const struct scale_decision *decision)
{
        struct scoreboard *board = pool->board.memory;
        uint32_t idle;

        /* While old listeners drain, idle workers of the old generation hide that new connections find none. */
        uint32_t low_below = pool->closing.count > 0 && decision->low_below > 0 ? UINT32_MAX : decision->low_below;
        if (decision->reset_low_water)
                atomic_store(&board->low_water, idle_set_count(board));
        if (atomic_load(&board->low_below) == low_below && atomic_load(&board->high_above) == decision->high_above)
                return false;
        atomic_store(&board->low_below, low_below);
        atomic_store(&board->high_above, decision->high_above);
        idle = idle_set_count(board);
        return (low_below != UINT32_MAX && idle < low_below && !atomic_load(&board->wake[SCOREBOARD_WAKE_LOW])) ||
               (decision->high_above != UINT32_MAX && idle > decision->high_above);
}

static struct scale_input gather(const struct pool *pool, uint64_t now_ms)
{
        const struct pool_counts counts = worker_table_count(pool);
        const struct listener_set *set = pool->draining ? &pool->closing : &pool->listeners;
        unsigned queued = listener_set_queued(set);

        return (struct scale_input){
                .now_ms = now_ms,
                .idle = counts.idle,
                .starting = counts.starting,
                .total = counts.total - MIN_OF(counts.surge, counts.old_total), /* two that are one: the roll's surge */
                .queued = queued,
                .low_water = atomic_load(&pool->board.memory->low_water),
                .started = pool->scaler.started,
                .may_fork = !health_is_backing_off(pool, now_ms) && !pool->killing && !pool->paused &&
                            (!pool->draining || queued > 0),
        };
}

uint64_t scaler_step(struct pool *pool, uint64_t now_ms)
{
        const struct scale_limits limits = pool_scale_limits(pool);
        const struct scale_input input = gather(pool, now_ms);
        const struct scale_decision decision = scale_policy_decide(&limits, &input, &pool->scaler.state);
        uint64_t next_ms = decision.shrink_at_ms > 0 ? decision.shrink_at_ms : POOL_NEVER_MS;

        pool->scaler.started |= input.may_fork;
        handle_saturation(pool, &decision, &input);
        keep_refuser(pool);
        if (decision.start > 0) {
                unsigned forked = fork_batch(pool, decision.start);
                if (forked > 0)
                        pool_record(pool, LOG_INFO, "+%u worker%s (%s)", forked, forked == 1 ? "" : "s", decision.reason);
                if (forked == BATCH && forked < decision.start) /* less: a fork failed, or those that go make room first */
                        pool_touch(pool);
        }
        if (decision.retire > 0) {
                pool_record(pool, LOG_INFO, "-%u worker%s (%s)", decision.retire, decision.retire == 1 ? "" : "s",
                            decision.reason);
                retire_idle(pool, decision.retire, "surplus");
        }
        watch_listeners(pool, decision.watch_listeners);
        if (publish(pool, &decision))
                pool_touch(pool);
        if (pool->scaler.state.saturated && !pool->scaler.saturation_told)
                next_ms = MIN_OF(next_ms, now_ms + UNTOLD_LOOK_MS);
        if (health_is_backing_off(pool, now_ms))
                next_ms = MIN_OF(next_ms, pool->health.backoff.not_before_ms);
        return next_ms;
}

void scaler_forget(struct pool *pool)
{
        pool->scaler.state = (struct scale_state){0};
}

void scaler_restart(struct pool *pool)
{
        pool->scaler.started = false;
}
