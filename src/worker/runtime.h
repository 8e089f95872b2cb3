/* A runtime serves connections: a table of operations, with one implementation for each handler type.
 *
 * worker_main chooses the operations by the pool's handler_type (worker/runtimes) and calls prepare(); the accept loop
 * calls serve() for each connection, or there is none, because the worker becomes the handler; lib/orders calls
 * interrupt() for the master's orders about a request. A worker process has one runtime, which all its threads use.
 * What must stay true: serve() returns at the end of the request, or leaves no trace; interrupt() is async-signal-safe
 * and signals only what serves the present request. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/client.h"
#include "lib/slot.h"
#include "logic/protocol/worker_plan.h"
#include "os/net/datagram.h"

struct runtime_outcome {
        int status;      /* wait status of the process that served, or what it would have been */
        uint64_t cpu_us; /* user and system time of that process and of the children that it waited for */
        int error;       /* positive errno: why the request failed, as far as it is known; 0: it did not */
        int failure;     /* positive errno: the request has ended, but this worker must not serve another; 0: it may */
        int connection;  /* if it is still open, for the caller to end; else -1 */
        pid_t pid;       /* of that process; 0: the worker's own */
};

struct runtime_ops {
        /* Prepare to serve according to `plan`, which outlives the runtime. Called after the credentials were dropped.
         * `log_read_fd` is pipe_reader_open()'s, and stays open. 0 with the state in *ret, or -errno; -EAGAIN:
         * there is no room for the processes that would serve. */
        int (*prepare)(const struct worker_plan *plan, int log_read_fd, void **ret);

        /* Serve one connection. 0 with *ret filled in: it was served. -errno: nothing has begun, and the connection is
         * still the caller's. Of these, -EAGAIN, -ENOMEM, -EMFILE, -ENFILE and -ETXTBSY are a shortage
         * that may pass: the caller may call again. */
        int (*serve)(void *runtime, int connection, const struct client *client, struct runtime_outcome *ret);

        /* Serve one datagram. 0 with *ret filled in, or -errno as serve(). NULL: this handler cannot. */
        int (*serve_datagram)(void *runtime, const struct datagram *datagram, struct runtime_outcome *ret);

        /* NULL, except for a program that accepts connections itself: execute it in place of this worker, instead of
         * the accept loop. Of what a program that reports needs, `statm_fd` is recycling_open_memory()'s. Returns only
         * if it fails: -errno; -ESRCH: the master has died. serve() and interrupt() are not called. */
        int (*become)(void *runtime, int statm_fd);

        /* SIGTERM or SIGKILL: send it to what serves the present request of this thread, if there is one. In process,
         * SIGTERM asks the request to end, and SIGKILL is the caller's. 0; -errno of kill(2): it was not allowed. */
        int (*interrupt)(int signal_number);

        /* Another thread of the worker begins or ends to call serve(). 0 or -errno; NULL: the runtime cannot be used by
         * threads. */
        int (*enter)(void *runtime);
        void (*leave)(void *runtime);

        /* The worker serves no more: free the state of a successful prepare(). */
        void (*end)(void *runtime);

        /* Log why prepare() or serve() has failed, in more words than an errno. NULL: they have done so themselves. */
        void (*explain)(const struct worker_plan *plan);

        /* The worker's own process serves. So only its end ends a request that does not obey interrupt(SIGTERM); and
         * what serves can harm the worker. */
        bool in_process;
};
