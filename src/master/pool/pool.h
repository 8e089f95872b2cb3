/* A pool at run time: the structure, made and freed, and what all who work on it call.
 *
 * Owned by the daemon, listed in its pool_table. A pool is made of parts; each is written by the file that is named
 * beside it alone, and read by everybody. Whatever happens to a pool (a wake-up of a worker, a death, a timer, a
 * reload) ends in pool_touch(); the next turn of the loop then runs the `turn` of its runtime (pool_turn). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/message_id.h"
#include "logic/config/config.h"
#include "logic/config/overlay.h"
#include "logic/policy/backoff.h"
#include "logic/policy/scale.h"
#include "logic/policy/turn.h"
#include "logic/status/counters.h"
#include "logic/status/decision_ring.h"
#include "logic/status/request_rate.h"
#include "master/pool/listener_set.h"
#include "master/pool/pool_runtime.h"
#include "prefork/scoreboard.h"

#define POOL_NEVER_MS UINT64_MAX /* nothing to wait for */
#define POOL_GONE_WORKERS_KEPT 1024

struct launcher_ops;
struct slot_allocator;
struct worker;

/* What a pool is. It goes from one to a later one alone. */
enum pool_mode {
        POOL_OPEN,
        POOL_CLOSING, /* removed or stopping: serves what waits, then ends */
        POOL_ENDING,  /* the same, and every worker has been told to end now */
        POOL_MODE_COUNT
};

/* What people want of a pool that is open. */
enum pool_wanted {
        POOL_SERVING,
        POOL_PAUSED, /* no worker serves, the listeners stay open and clients wait */
        POOL_WANTED_COUNT
};

/* The memory in which workers report, and the descriptor by which they wake us. Written by pool. */
struct pool_board {
        struct prefork_scoreboard *memory;
        int fd;
        int wake_fd;
        struct evloop_watch *wake_watch;
};

/* Written by worker_table. */
struct worker_table {
        struct worker *first; /* list, newest first: launched and not reaped */
        unsigned count;       /* length of the list */
        struct slot_allocator *slots;
};

/* Written by health. */
struct pool_health {
        struct backoff backoff;
        uint64_t requests_seen; /* by the last look for a success */
        bool launch_failing;    /* inside an episode of launches that failed: logged once */
};

/* What workers that are gone have left, beside their counters: durations of their requests, and how the last of them
 * shared the work. */
struct pool_gone {
        uint64_t durations[PREFORK_DURATION_BUCKETS];
        uint64_t requests[POOL_GONE_WORKERS_KEPT];
        uint64_t cpu_ms[POOL_GONE_WORKERS_KEPT];
        uint64_t count;
};

/* Written by pool_counters. */
struct pool_counters {
        struct counters sums; /* of workers that are gone; those of living ones are in their slots */
        struct pool_gone gone;
        struct request_rate rate;
};

struct pool {
        const struct pool_runtime *runtime;
        const struct launcher_ops *launcher; /* how its workers are made */
        char *name;
        const struct pool_config *configured; /* as the files have it: of the running configuration, or own_config */
        struct overlay overlay;               /* what is laid over that until the next reload */
        const struct pool_config *config;     /* what it goes by: `configured`, or overlay.limits */
        struct pool_config *own_config;
        uint64_t generation;
        enum pool_mode mode;     /* written by pool_orders */
        enum pool_wanted wanted; /* written by pool_orders */

        struct listener_set listeners; /* of the present generation; written by the reload */
        struct listener_set closing;   /* those that drain; written by drainer, and by the reload that takes one back */

        struct evloop_timer *timer; /* the next turn */
        bool touched;               /* it is the next turn of the loop */

        struct pool_board board;
        struct worker_table workers;
        struct scaling_state scaler; /* written by logic/policy/scaling, in a turn, and by scaler */
        struct pool_health health;
        struct pool_counters counters;
        struct decision_ring decisions;
        struct turn turn; /* the present one, or the last; written by pool_snapshot and logic/policy */
};

/* Make a pool with its scoreboard, wake-up and timer; it has no listeners yet and does nothing until pool_start(). 0 or
 * -errno. */
int pool_new(const struct pool_runtime *runtime, const struct pool_config *config, struct pool **ret);

/* The same for a pool that a former program of this process has made; its descriptors are taken over, also on failure.
 * -EPROTO: its scoreboard is none that we know. */
int pool_adopt(const struct pool_runtime *runtime, const struct pool_config *config, int board_fd, int wake_fd,
               struct pool **ret);

/* Begin to serve: publishes the limits and takes the first turn. */
void pool_start(struct pool *pool);

/* The configuration has changed: publish and look again. */
void pool_apply_config(struct pool *pool);

/* Give the pool another configuration, which ends its overlay; pool_apply_config() follows. */
void pool_set_config(struct pool *pool, const struct pool_config *config);

/* Lay `overlay` (taken over) over the configuration in the place of the present one; pool_apply_config() follows. */
void pool_set_overlay(struct pool *pool, const struct overlay *overlay);

/* New workers are of another generation from now on, and a roll replaces those that are there. */
void pool_begin_generation(struct pool *pool);

/* Look at the pool at the next turn of the loop. */
void pool_touch(struct pool *pool);

/* The turn has begun: what asks for another one from now on gets it. */
void pool_begin_turn(struct pool *pool);

/* The turn is over: the next one is at `next_ms`, or POOL_NEVER_MS, unless somebody asked for one. */
void pool_end_turn(struct pool *pool, uint64_t next_ms);

/* The limits the scaling policy goes by now. */
struct scale_limits pool_scale_limits(const struct pool *pool);

/* Record a decision, and log it: `pool www: +6 workers (spare 0 < 2, 4 queued)`; pool_record_event(): with a
 * MESSAGE_ID. */
#define pool_record(pool, priority, ...) pool_record_event(pool, MESSAGE_ID_NONE, priority, __VA_ARGS__)
void pool_record_event(struct pool *pool, enum message_id id, int priority, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Free it; it has no workers any more. */
void pool_free(struct pool *pool);
