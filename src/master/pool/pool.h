/* A pool at run time: the structure, its creation and release, and the functions that all of its parts use.
 *
 * Owned by the daemon, in its pool_table. What must stay true: each part of a pool is written only by the file named
 * beside it; any file may read it. Every event of a pool (a wake-up by a worker, the exit of one, a timer, a reload)
 * leads to pool_touch(); the next iteration of the loop then runs the `turn` of its runtime (pool_turn). */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/message_id.h"
#include "logic/config/config.h"
#include "logic/config/overlay.h"
#include "logic/policy/backoff.h"
#include "logic/policy/budget.h"
#include "logic/policy/fallback.h"
#include "logic/policy/scale.h"
#include "logic/policy/turn.h"
#include "logic/status/counters.h"
#include "logic/status/decision_ring.h"
#include "logic/status/history.h"
#include "logic/status/load.h"
#include "logic/status/peaks.h"
#include "logic/status/request_rate.h"
#include "master/pool/boards.h"
#include "master/pool/connection_reader.h"
#include "master/pool/hangup_watch.h"
#include "master/pool/listener_set.h"
#include "master/pool/pool_runtime.h"
#include "master/pool/template.h"
#include "master/pool/wake_pipe.h"
#include "prefork/scoreboard.h"

#define POOL_NEVER_MS UINT64_MAX /* no turn is scheduled */
#define POOL_GONE_WORKERS_KEPT 1024

struct launcher_ops;
struct log_fields;
struct slot_allocator;
struct tally;
struct worker;

/* The mode of a pool. It only changes to a later one. */
enum pool_mode {
        POOL_OPEN,
        POOL_CLOSING, /* removed or stopping: serves the waiting connections, then ends */
        POOL_ENDING,  /* the same, and every worker was ordered to end now */
        POOL_MODE_COUNT
};

/* What users have ordered for an open pool. */
enum pool_wanted {
        POOL_SERVING,
        POOL_PAUSED, /* no worker serves; the listeners stay open and clients wait */
        POOL_WANTED_COUNT
};

/* How thoroughly the listeners are examined in the next turn. */
enum listener_look {
        LOOK_NOT,
        LOOK_LISTENS, /* whether they listen */
        LOOK_ALL,     /* also whether somebody has changed them */
};

/* Written by listener_health. */
struct pool_listening {
        struct listening_state state;
        struct listener_set missing; /* configured addresses without a listener; written by the reload */
        enum listener_look look;     /* also by pool_suspect_listeners() */
        struct hangup_watch hangups;
};

/* Written by worker_table. */
struct worker_table {
        struct worker *first; /* list of the workers from launch to reaping, newest first */
        unsigned count;       /* length of the list */
        struct slot_allocator *slots;
        struct tally *tallies; /* what is believed of each slot; a secret */
        uint32_t tally_count;  /* length of the array */
};

/* What starts of the pool's workers have cost, on the average of the last ones; 0: not known. Written by start_meter.
 */
struct pool_starts {
        uint64_t cpu_us, duration_us, worker_bytes;
};

/* Written by health. */
struct pool_health {
        struct backoff backoff;
        uint64_t requests_seen;          /* number of requests at the last health_note_success(), also of every turn */
        bool launch_failing;             /* launches are failing; logged once until one succeeds */
        uint32_t told_stage, told_error; /* why a worker could not serve, as it was logged last */
};

/* Statistics of workers that have ended, apart from their counters: durations of their requests and waits before them,
 * and the requests and CPU time of the last of them. */
struct pool_gone {
        uint64_t durations[PREFORK_DURATION_BUCKETS], waits[PREFORK_DURATION_BUCKETS];
        uint64_t requests[POOL_GONE_WORKERS_KEPT];
        uint64_t cpu_ms[POOL_GONE_WORKERS_KEPT];
        uint64_t count;
};

/* What is believed of the slots of all present workers together. */
struct pool_present {
        struct counters counters;
        uint64_t durations[PREFORK_DURATION_BUCKETS], waits[PREFORK_DURATION_BUCKETS];
};

/* Written by pool_counters. */
struct pool_counters {
        struct counters sums; /* of workers that have ended; those of present workers are in their slots */
        struct pool_gone gone;
        struct pool_present present; /* written by tallies */
        struct request_rate rate;
        struct load load;       /* written by tallies */
        struct history history; /* written by pool_history */
        struct peaks peaks;     /* written by scaler */
};

struct pool {
        const struct pool_runtime *runtime;
        const struct launcher_ops *launcher; /* how its worker processes are created */
        char *name;
        const struct pool_config *configured; /* the configuration from the files: part of the running one, or
                                               * own_config */
        struct overlay overlay;               /* limits set over it until the next reload */
        const struct pool_config *config;     /* the one in use: `configured`, overlay.limits, or `lesser` */
        struct pool_config lesser;            /* one of these without what was given up */
        struct pool_config *own_config;
        uint64_t generation;
        enum pool_mode mode;     /* written by pool_orders */
        enum pool_wanted wanted; /* written by pool_orders */
        bool draining;           /* balancers are told to send nobody else; written by pool_orders */

        struct listener_set listeners; /* of the present generation; written by the reload */
        struct listener_set closing;   /* draining listeners; written by drainer, and by a reload that takes one back */

        struct pool_listening listening;

        struct evloop_timer *timer; /* the next turn */
        bool touched;               /* the timer is set to the next iteration of the loop */

        struct boards boards;
        struct wake_pipe wake;                /* by which workers wake the master; written by wake_pipe */
        struct connection_reader connections; /* written by connection_reader */
        struct worker_table workers;
        struct templates templates;  /* written by launcher_template */
        struct scaling_state scaler; /* written by logic/policy/scaling, in a turn, and by scaler */
        uint32_t reporting_seen;     /* what the present board said when the turn began; written by scaler */
        struct budget_row budget;    /* in the runtime's; written by pool_budget */
        struct pool_starts starts;
        struct pool_health health;
        struct fallback fallback;   /* written by pool_fallback, as is what was said of it last: */
        char fallback_told[2][160]; /* of start_method and copy */
        struct pool_counters counters;
        struct decision_ring decisions;
        struct turn turn; /* the present one, or the last; written by pool_snapshot and logic/policy */
};

/* Create a pool with its scoreboard, pipe and timer; it has no listeners and does nothing until pool_start(). 0 or
 * -errno. */
int pool_new(const struct pool_runtime *runtime, const struct pool_config *config, struct pool **ret);

/* The descriptors of a pool that an upgrade hands over; -1 all: there are none. */
struct pool_fds {
        int board; /* the present one */
        int wake_read, wake_write;
};

/* The same for a pool of the program before an upgrade; its descriptors are owned from here on, also on failure. 0;
 * -EPROTO: its scoreboard has an unknown format; -errno. */
int pool_adopt(const struct pool_runtime *runtime, const struct pool_config *config, const struct pool_fds *fds,
               struct pool **ret);

/* Begin to serve: publish the limits and schedule the first turn. */
void pool_start(struct pool *pool);

/* Write again what workers read from the scoreboards and only the master writes: the constants of their headers, and
 * limits that a reload changes in place. A worker may have overwritten them, so this precedes each launch. */
void pool_publish(struct pool *pool);

/* The configuration has changed: publish it and schedule a turn. */
void pool_apply_config(struct pool *pool);

/* Give the pool another configuration, which ends its overlay; call pool_apply_config() next. */
void pool_set_config(struct pool *pool, const struct pool_config *config);

/* Replace the overlay by `overlay`, which is owned from here on; call pool_apply_config() next. */
void pool_set_overlay(struct pool *pool, const struct overlay *overlay);

/* Put the configuration in use together again: what was given up has changed. */
void pool_use_config(struct pool *pool);

/* Begin a new generation: a roll replaces the present workers. */
void pool_begin_generation(struct pool *pool);

/* Schedule a turn of the pool for the next iteration of the loop. */
void pool_touch(struct pool *pool);

/* True if no client can reach an open pool: none of its listeners listens. */
bool pool_is_deaf(const struct pool *pool);

/* Something points to a listener that does not listen any more: the next turn looks. Costs two system calls a
 * listener. */
void pool_suspect_listeners(struct pool *pool);

/* The turn has begun: a pool_touch(), or a wake-up by a worker, from now on leads to another one. */
void pool_begin_turn(struct pool *pool);

/* The turn is over: schedule the next one for `next_ms` (POOL_NEVER_MS: none), unless pool_touch() was called during
 * the turn. */
void pool_end_turn(struct pool *pool, uint64_t next_ms);

/* The limits that the scaling policy uses now. */
struct scale_limits pool_scale_limits(const struct pool *pool);

/* Record a decision, and log it: `pool www: +6 workers (spare 0 < 2, 4 queued)`; pool_record_event(): with a
 * MESSAGE_ID. */
#define pool_record(pool, priority, ...) pool_record_event(pool, MESSAGE_ID_NONE, priority, __VA_ARGS__)
void pool_record_event(struct pool *pool, enum message_id id, int priority, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The same with other fields, or among the decisions about templates. */
void pool_record_fields(struct pool *pool, const struct log_fields *fields, bool of_template, int priority,
                        const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));

/* Free a pool that has no workers any more. */
void pool_free(struct pool *pool);
