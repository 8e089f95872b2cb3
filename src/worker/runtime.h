/* What serves a connection: one table of operations, one implementation a handler type.
 *
 * worker_main chooses the operations by the pool's handler_type (worker/runtimes) and prepares them; the accept loop calls
 * serve() for each connection; worker/orders calls interrupt() when the master gives an order about the request. There is
 * one runtime a worker process. What must stay true: serve() takes the connection over, whatever it returns, and returns
 * when the request is over; interrupt() is async-signal-safe and reaches nothing but what serves the present request. */
#pragma once

#include <stdint.h>

#include "base/address.h"
#include "lib/slot.h"
#include "logic/protocol/worker_plan.h"

struct runtime_outcome {
        int status;      /* wait status of what served; 0 where that is no process */
        uint64_t cpu_us; /* its user and system time, with that of children it waited for */
};

struct runtime_ops {
        /* Get ready to serve as `plan` says, which outlives the runtime. Called when the credentials are dropped. 0 with the
         * state in *ret, or -errno. */
        int (*prepare)(const struct worker_plan *plan, void **ret);

        /* Serve one connection. 0 with *ret filled in, or -errno when it could not be served. */
        int (*serve)(void *runtime, int connection, const struct address *peer, struct runtime_outcome *ret);

        /* Pass a signal to what serves now, if anything does. */
        void (*interrupt)(int signal_number);

        /* Free the state of a successful prepare(). */
        void (*end)(void *runtime);
};
