/* What pools need of the daemon, and what they tell it. Both are handed in to pool_new(), so that pools know neither
 * the daemon nor who else lives in it.
 *
 * Owned by the daemon, one for all pools; outlives them. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct evloop;
struct launcher_ops;
struct pool;
struct pool_listener;
struct reaper;
struct resource_limits;
struct signals_taken;
struct worker_outputs;
struct worker_plan;

/* Called from the pools' turns, with the `context` of the structure. */
struct pool_observer {
        void *context;
        void (*changed)(void *context, struct pool *pool); /* a turn begins: the workers may not be what they were */
        /* The listener is about to close, and nobody is to hold it besides us. */
        void (*listener_leaves)(void *context, struct pool_listener *item);
        /* The pool has closed and its last process has been reaped: to be forgotten and freed before this returns. */
        void (*done)(void *context, struct pool *pool);
};

struct pool_runtime {
        struct evloop *loop;
        struct reaper *reaper;
        struct worker_outputs *outputs;
        const struct launcher_ops *launcher;                 /* how workers are made */
        int (*worker_entry)(const struct worker_plan *plan); /* run in the child; its result is the exit code */
        const struct signals_taken *signals;
        const struct resource_limits *original_limits; /* those preforkd was started with */
        pid_t master_pid;
        uint64_t orphan_timeout_ms; /* a request may go on for so long after the master's death; from the configuration
                                     */
        void (*turn)(struct pool *pool); /* what a pool does when its timer fires or its workers wake it */
        struct pool_observer observer;
};
