/* The handler of a worker: one process a connection, started, watched and, on order, ended.
 *
 * One a worker process, with static state where a signal handler needs it. What must stay true: the worker signals only
 * the process group of a handler it has not reaped. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "lib/slot.h"
#include "logic/protocol/worker_plan.h"

struct handler;

struct handler_outcome {
        int status;      /* wait status */
        uint64_t cpu_us; /* user and system time of the process and the children it waited for */
};

/* Find the program, lay out its environment and limits, and install the handlers for the master's orders (SIGUSR1) and
 * the orphan's alarm (SIGALRM). 0, -ENOENT, -EACCES (no such program, or not executable by the pool's user), -ENOMEM,
 * -errno of sigaction(2). */
int handler_new(const struct worker_plan *plan, const struct slot *slot, struct handler **ret);

/* Serve one connection, whose descriptor is taken over and closed: execute the program and wait until it has ended.
 * 0 with *ret filled in, or -errno when it could not be executed. */
int handler_serve(struct handler *handler, int connection, const struct address *peer, struct handler_outcome *ret);

void handler_free(struct handler *handler);
