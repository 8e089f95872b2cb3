/* A pool at run time: its listeners, its scoreboard, its workers, and the turn in which they are looked after.
 *
 * Owned by the daemon. Whatever happens to a pool (a wake-up of a worker, a death, a timer, a reload) ends in
 * pool_touch(); the next turn of the loop then runs pool_evaluate(), which lets each concern take its step: readiness,
 * recycling, rolling, scaling, deadlines, draining. Steps look at levels, never at what happened, so that nothing is lost
 * when events fall together; each returns when it wants to be asked again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/message_id.h"
#include "logic/config/config.h"
#include "logic/policy/backoff.h"
#include "logic/policy/scale.h"
#include "logic/protocol/worker_plan.h"
#include "logic/status/counters.h"
#include "logic/status/decision_ring.h"
#include "logic/status/request_rate.h"
#include "master/pool/listener_set.h"
#include "master/pool/pool_runtime.h"
#include "prefork/scoreboard.h"

#define POOL_NEVER_MS UINT64_MAX /* what a step returns that has nothing to wait for */
#define POOL_GONE_WORKERS_KEPT 1024

struct worker;
struct slot_allocator;

/* What workers that are gone have left, beside their counters: durations of their requests, and how the last of them
 * shared the work. */
struct pool_gone {
        uint64_t durations[SCOREBOARD_DURATION_BUCKETS];
        uint64_t requests[POOL_GONE_WORKERS_KEPT];
        uint64_t cpu_ms[POOL_GONE_WORKERS_KEPT];
        uint64_t count;
};

/* The workers, counted by what they are to the limits. Detached and retiring ones are in no other count, and
 * those that empty closing listeners go with the retiring ones. */
struct pool_counts {
        unsigned starting, idle, busy, detached, retiring;
        unsigned total;     /* against max_workers: starting + idle + busy */
        unsigned old_total; /* of total, those of an older generation */
        unsigned ahead;     /* of total, those that a roll has started and that no older one has gone for yet */
};

struct pool {
        const struct pool_runtime *runtime;
        char *name;
        const struct pool_config *config; /* of the running configuration; `own_config` when draining */
        struct pool_config *own_config;
        uint64_t generation;
        bool draining;   /* removed or stopping: serves what waits, then ends */
        bool killing;    /* every worker has been told to end now */
        bool paused;     /* by command: no worker serves, the listeners stay open and clients wait */

        struct listener_set listeners;    /* of the present generation */
        struct listener_set closing;      /* those that drain */

        struct scoreboard *board;
        int board_fd;
        int wake_fd;
        struct evloop_watch *wake_watch;
        struct evloop_timer *timer;
        bool touched; /* the timer is set to the next turn */

        struct worker *workers; /* list, newest first */
        unsigned worker_count;       /* length of the list: living processes */
        struct slot_allocator *slots;
        struct worker *refuser; /* also in the list */

        struct scale_state scale;
        bool started; /* the first scaling decision was made */
        bool saturation_told; /* full, and somebody waits or was refused: logged, counted, and the pool's state until
                               * scale.saturated is over */
        uint64_t refused_before; /* board->refused when the last such episode ended */
        int max_workers_shift; /* TTIN and TTOU, until the next reload */
        struct backoff backoff;
        uint64_t requests_seen;      /* by the last look for a success */
        uint64_t roll_ready;         /* new workers of a roll that became ready and have not replaced one yet */
        bool fork_failing;           /* inside an episode of fork failures: logged once */

        struct counters totals; /* since the pool was made, of workers that are gone; those of living ones are in their slots */
        struct pool_gone gone;
        struct request_rate rate;
        struct decision_ring decisions;
};

/* Make a pool with its scoreboard, wake-up and timer; it has no listeners yet and does nothing until pool_start(). 0 or
 * -errno. */
int pool_new(const struct pool_runtime *runtime, const struct pool_config *config, struct pool **ret);

/* The same for a pool that a former program of this process has made; its descriptors are taken over, also on failure.
 * -EPROTO: its scoreboard is none that we know. */
int pool_adopt(const struct pool_runtime *runtime, const struct pool_config *config, int board_fd, int wake_fd, struct pool **ret);

/* Begin to serve: publishes the limits and takes the first step. */
void pool_start(struct pool *pool);

/* The configuration has changed (pool->config already points to the new one): publish and look again. */
void pool_apply_config(struct pool *pool);

/* Serve what waits, then end. The pool keeps a configuration of its own from here on, if `own_config` is given (it is
 * taken over). The observer hears when it is done. */
void pool_drain(struct pool *pool, struct pool_config *own_config, const char *why);

/* Let a listener drain; `item` is one of pool->listeners and not valid any more. Workers of generations up to
 * `last_generation` have it. Cannot fail: room was reserved when it was opened. */
void pool_close_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation);

/* From now on new workers are of another generation, and the roll replaces those that are there. */
void pool_begin_generation(struct pool *pool);

/* End every worker now. */
void pool_kill(struct pool *pool);

/* Look at the pool at the next turn of the loop. */
void pool_touch(struct pool *pool);

/* Count the workers. */
struct pool_counts pool_count(const struct pool *pool);

/* The limits the scaling policy goes by now. */
struct scale_limits pool_scale_limits(const struct pool *pool);

/* How many workers may be forked ahead of those they replace: as long as no more than max_workers and reload_surge run,
 * retiring ones included. */
unsigned pool_room_ahead(const struct pool *pool);

/* Sum of requests that have ended, living workers' included. */
uint64_t pool_requests(const struct pool *pool);

/* One request that has ended since the last look proves the pool. */
void pool_note_success(struct pool *pool);

/* A worker failed to start: no other one is started for a while. Logged once a delay. */
void pool_note_failure(struct pool *pool);

/* Sum of connections that workers have taken: requests that have begun (those a worker was killed in are forgotten with
 * it) and connections of sources that had too many. */
uint64_t pool_accepted(const struct pool *pool);

/* Record a decision, and log it: `pool www: +6 workers (spare 0 < 2, 4 queued)`; pool_record_event(): with a MESSAGE_ID. */
#define pool_record(pool, priority, ...) pool_record_event(pool, MESSAGE_ID_NONE, priority, __VA_ARGS__)
void pool_record_event(struct pool *pool, enum message_id id, int priority, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Look at the pool now and act: the `turn` of its runtime. */
void pool_evaluate(struct pool *pool);

/* True when the last process is reaped and nothing is left to drain. */
bool pool_is_done(const struct pool *pool);

void pool_free(struct pool *pool);

/* The steps (each in its own file): look at the pool, act, and say when to look again (ms of the clock, or
 * POOL_NEVER_MS). */
uint64_t scaler_step(struct pool *pool, uint64_t now_ms);
uint64_t recycler_step(struct pool *pool, uint64_t now_ms);
uint64_t rollout_step(struct pool *pool, uint64_t now_ms);
uint64_t deadlines_step(struct pool *pool, uint64_t now_ms);
uint64_t drainer_step(struct pool *pool, uint64_t now_ms);
