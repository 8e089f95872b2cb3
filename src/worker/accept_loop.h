/* The accept loop of a worker: wait for a connection, serve it through the runtime, report, and repeat. It is the same
 * for all handler types.
 *
 * Called by worker_main. What must stay true: an accepted connection is served, or the failure is reported; only
 * connections that admission refuses, and those whose handler a shortage has kept from starting for the
 * whole patience, are closed unserved. A shortage ends no worker. */
#pragma once

#include <stdbool.h>

#include "lib/acceptor.h"
#include "lib/gate.h"
#include "lib/lingering.h"
#include "lib/request.h"
#include "worker/own_fds.h"
#include "worker/runtime.h"
#include "worker/worker_setup.h"

/* Filled in by worker_main. */
struct accept_loop {
        struct request_desk desk;
        struct gate gate; /* of the pool */
        struct acceptor acceptor;
        struct lingering lingering; /* those that were refused last */
        const struct runtime_ops *runtime_ops;
        void *runtime;
        struct own_fds own_fds;
        struct datagram *datagram; /* the present or last one; NULL: no listener is for datagrams */
        int *answer_fds;           /* for each listener for datagrams a copy, which the door leaves alone; -1 */
        uint64_t cpu_ns;           /* of this thread, when it was looked at … */
        uint64_t cpu_looked_ns;    /* … last */
        uint64_t lingering_ms;     /* lingering_close */
        uint64_t idle_ms, kill_ms; /* idle_timeout and kill_timeout */
        uint64_t patience_ns;      /* how long a connection is held whose handler cannot be started for a shortage */
        bool warned_of_accept;     /* accept fails with EMFILE or its kind, and the worker has warned about it */
        bool warned_of_handler;    /* the same for the start of handlers */
};

/* Prepare to serve datagrams too, if a listener is for them. After acceptor_open(). 0; -ENOMEM; -EPROTOTYPE: this
 * handler cannot. Ended by
 * accept_loop_clear(). */
int accept_loop_prepare(struct accept_loop *loop);

/* Free what accept_loop_prepare() has made. */
void accept_loop_clear(struct accept_loop *loop);

/* Serve until the worker must end; returns its exit code (enum prefork_exit). With PREFORK_EXIT_LISTENER_FAILED and
 * PREFORK_EXIT_START_FAILED, *ret is the failure. */
int accept_loop_run(struct accept_loop *loop, struct worker_failure *ret);
