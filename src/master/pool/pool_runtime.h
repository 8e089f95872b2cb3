/* What pools need from the daemon, and what they report to it. It is handed in to pool_new(), so that pools do not
 * depend on the daemon or on other rooms.
 *
 * Owned by the daemon; one for all pools, which it outlives. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct budget;
struct evloop;
struct launcher_ops;
struct pool;
struct pool_listener;
struct pressure_gauge;
struct reaper;
struct resource_limits;
struct signals_taken;
struct worker_outputs;
struct worker_plan;

/* Called in the turns of pools, with `context`. */
struct pool_observer {
        void *context;
        void (*changed)(void *context, struct pool *pool); /* a turn begins: the workers may have changed */
        /* The listener is about to close for good: other holders (the descriptor store) must release it. */
        void (*listener_leaves)(void *context, struct pool_listener *item);
        /* The pool has addresses without a listener, or damaged listeners: open and repair what can be. */
        void (*open_listeners)(void *context, struct pool *pool);
        /* The pool has closed and its last process has been reaped: the callee must remove and free it. */
        void (*done)(void *context, struct pool *pool);
};

/* The log process, where records go to a file: workers send it their own records, each through a socket. */
struct pool_log {
        void *context;
        bool (*takes_sources)(const void *context);
        /* Pass the reading end of a worker's socket on; it stays the caller's. */
        void (*add_source)(const void *context, const char *pool, pid_t worker, int fd);
};

/* Orders to the templates of all pools. */
struct template_traffic {
        unsigned in_flight; /* without an answer; written by template */
        bool held;          /* none is sent: an upgrade waits until there are none */
};

/* What answers the workers of status pools. */
struct pool_status {
        void *context;
        /* Make the socket of such a worker: our end, and its own. 0 or -errno. */
        int (*pair)(int *ret_own, int *ret_other);
        /* The worker was launched: our end is the callee's from here on. */
        void (*add)(void *context, pid_t worker, int own);
        /* A worker has ended; it may have had none. NULL: nobody has one. */
        void (*remove)(void *context, pid_t worker);
};

struct pool_runtime {
        struct evloop *loop;
        struct reaper *reaper;
        struct worker_outputs *outputs;
        const struct launcher_ops *launcher;          /* how worker processes are created */
        const struct launcher_ops *template_launcher; /* … in pools that have a template */
        struct template_traffic *templates;
        int (*worker_entry)(const struct worker_plan *plan); /* runs in the child; its result is the exit code */
        const struct signals_taken *signals;
        const struct resource_limits *original_limits; /* those preforkd was started with */
        pid_t master_pid;
        struct budget *budget; /* max_workers_total; NULL: as with a total of 0 */
        struct pressure_gauge *pressure;
        unsigned cpus;              /* the most processors this machine can have */
        uint64_t memory_bytes;      /* its memory; 0: not known */
        uint64_t orphan_timeout_ms; /* how long requests may continue after the master's death (shutdown_timeout) */
        void (*turn)(struct pool *pool); /* takes a turn: called when a pool's timer fires or its workers wake the
                                          * master */
        struct pool_observer observer;
        struct pool_log log;
        struct pool_status status;
};
