#include "master/pool/recycler.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/pool/health.h"
#include "master/pool/launcher.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "master/pool/worker_table.h"

/* A worker that is busy when it becomes too old asks when its request ends, by its own clock: as a precaution the master
 * looks again. */
#define TOO_OLD_LOOK_MS 1000

static const char *asks_because(const struct worker *worker)
{
        switch (atomic_load(&worker_slot(worker)->recycle)) {
        case SCOREBOARD_RECYCLE_NONE:
                return NULL;
        case SCOREBOARD_RECYCLE_MEMORY:
                return "max_worker_memory";
        case SCOREBOARD_RECYCLE_AGE:
                return "max_worker_age";
        default:
                return "max_requests";
        }
}

static uint64_t too_old_at_ms(const struct worker *worker)
{
        uint64_t age_ms = worker->pool->config->max_worker_age_ms;

        return age_ms > 0 ? worker->forked_ms + age_ms : POOL_NEVER_MS;
}

/* Whether the pool would have fewer spare workers than it may keep if this one went. */
static bool needs_replacement(const struct worker *worker, const struct pool_counts *counts)
{
        if (worker->purpose == WORKER_DRAIN) /* another one is forked if its listeners need it */
                return false;
        unsigned others = counts->idle + counts->starting - worker_is_idle(worker);
        return worker->pool->config->scaling != SCALING_ONDEMAND && others < pool_scale_limits(worker->pool).max_spare;
}

/* It serves on, with its replacement beside it if there is one, and asks again. */
static void give_up(struct worker *worker)
{
        worker_set_replacement(worker, NULL);
        worker->recycling = worker->let_go = false;
        worker_answer(worker, SCOREBOARD_ANSWER_LATER);
}

/* One that asked ends by itself after its request and counts until then: max_workers holds while it serves. One that
 * left off asking (an earlier LATER reached it just now) is not retired instead: under load it is not idle for long. */
static void let_go(struct worker *worker, const char *reason, uint64_t now_ms)
{
        if (asks_because(worker)) {
                worker->let_go = true;
                worker_answer(worker, SCOREBOARD_ANSWER_GO);
                /* It had ceased to wait for an answer and is idle again. Leave first, look then; it does it the other way
                 * round, so that one of us sees the other. */
                if (worker_is_idle(worker))
                        worker_retire(worker, reason);
        } else if (now_ms >= too_old_at_ms(worker) && worker_is_idle(worker))
                worker_retire(worker, reason);
        else
                give_up(worker);
}

/* Have the replacement that the pool has room for. False if it cannot be had: no process can be made now, or those that are
 * on their way out take up the room that there will be. */
static bool get_replacement(struct worker *worker)
{
        const struct pool_counts counts = worker_table_count(worker->pool);
        struct worker *replacement;

        if (counts.total >= pool_scale_limits(worker->pool).max_workers || !needs_replacement(worker, &counts))
                return true;
        if (launcher_start(worker->pool, WORKER_REPLACE, NULL, "recycle", &replacement) < 0)
                return false;
        worker_set_replacement(worker, replacement);
        return true;
}

/* False: not now, and neither would it work for another one. */
static bool begin(struct worker *worker, uint64_t now_ms)
{
        const char *asked = asks_because(worker), *reason = asked ? asked : "max_worker_age";

        /* It asks while it serves its last request, which counts. */
        uint64_t requests = atomic_load(&worker_slot(worker)->requests_begun);

        if (!get_replacement(worker)) { /* or the pool would become smaller with every worker that has served enough */
                give_up(worker);
                return false;
        }
        worker->recycling = true;
        pool_record(worker->pool, LOG_DEBUG, "recycling worker %d (%s, %llu request%s)", (int)worker->pid, reason,
                    (unsigned long long)requests, requests == 1 ? "" : "s");
        if (!worker->replacement)
                let_go(worker, reason, now_ms);
        return true;
}

/* One that is being recycled: its replacement is ready, or came to nothing; or it had left off asking when it was given
 * leave, and serves on. */
static void follow_up(struct worker *worker, uint64_t now_ms)
{
        if (worker->retired || (worker->replacement && worker->replacement->state == WORKER_STARTING))
                return;
        if (worker->replacement) {
                let_go(worker, "recycled", now_ms);
                return;
        }
        if (!worker->let_go || !asks_because(worker))
                give_up(worker);
}

/* Those that go, and in a full pool, where replacements cannot come first, the ones that start in the place of those that
 * have gone. A detached one may take hours to go: the others do not wait for it. */
static unsigned count_in_progress(const struct pool *pool)
{
        bool is_full = worker_table_count(pool).total >= pool_scale_limits(pool).max_workers;
        unsigned count = 0;

        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                bool stands_in = is_full && worker->state == WORKER_STARTING && worker_counts(worker) &&
                                 worker->purpose != WORKER_REPLACE;
                count += (worker->recycling && worker->state != WORKER_DETACHED) || stands_in;
        }
        return count;
}

static bool may_begin(const struct worker *worker)
{
        return !worker->recycling && worker->state == WORKER_READY && worker_stays(worker) && worker->purpose != WORKER_ROLL;
}

/* Of those that ask, the one whose request began first; several may have asked since the last look. */
static struct worker *find_first_asking(const struct pool *pool)
{
        struct worker *first = NULL;
        uint64_t first_ns = 0;

        for (struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                uint64_t since_ns = atomic_load(&worker_slot(worker)->activity_since_ns);
                if (may_begin(worker) && asks_because(worker) && (!first || since_ns < first_ns)) {
                        first = worker;
                        first_ns = since_ns;
                }
        }
        return first;
}

/* While no worker can be started nobody is let go: who asks serves on. */
static unsigned count_free_turns(const struct pool *pool, uint64_t now_ms)
{
        uint64_t in_progress = count_in_progress(pool);

        if (health_is_backing_off(pool, now_ms) || in_progress >= pool->config->max_recycling)
                return 0;
        return (unsigned)(pool->config->max_recycling - in_progress);
}

uint64_t recycler_step(struct pool *pool, uint64_t now_ms)
{
        uint64_t next_ms = POOL_NEVER_MS;
        unsigned turns = count_free_turns(pool, now_ms);
        struct worker *worker;

        for (worker = pool->workers.first; worker; worker = worker->next)
                if (worker->recycling)
                        follow_up(worker, now_ms);
        while (turns > 0 && (worker = find_first_asking(pool)))
                turns = begin(worker, now_ms) ? turns - 1 : 0;
        for (worker = pool->workers.first; worker; worker = worker->next) {
                if (!may_begin(worker))
                        continue;
                bool is_too_old = now_ms >= too_old_at_ms(worker);
                if (asks_because(worker))
                        worker_answer(worker, SCOREBOARD_ANSWER_LATER);
                else if (!is_too_old || !worker_is_idle(worker))
                        next_ms = MIN_OF(next_ms, is_too_old ? now_ms + TOO_OLD_LOOK_MS : too_old_at_ms(worker));
                else if (turns > 0) /* if not: when one of the others has gone, or workers can be started again */
                        turns = begin(worker, now_ms) ? turns - 1 : 0;
        }
        return next_ms;
}
