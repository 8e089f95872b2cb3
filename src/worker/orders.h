/* The signals of a worker: the master's orders about a request (SIGUSR1), the alarm after the master's death (SIGALRM),
 * and what people send. Of theirs, those that ask a process to end (TERM, HUP, INT, QUIT) retire the worker, and those
 * that mean something to the master alone do nothing.
 *
 * Called by worker_main and the runtime. The state is static, because signal handlers get no argument. What must stay
 * true: an order affects its own request and no later one, at whatever instruction it arrives. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/slot.h"
#include "worker/runtime.h"

/* The signals that have a handler in a worker, including the retire signal of lib/door. An executed program must have
 * the default disposition for each. */
extern const int orders_caught[];
extern const size_t orders_caught_count;

/* Install the handlers and unblock the signals. They read orders from `slot` and interrupt the request by the
 * operations of its runtime; if it is served in process, KILL ends the worker. Both are NULL in a worker without
 * requests. 0 or -errno of sigaction(2). */
int orders_install(struct slot *slot, const struct runtime_ops *ops);

/* True if the master has ordered the end of the present request. */
bool orders_end_request(void);

/* Carry out the present order. Call this as soon as `interrupt` has something to signal, for an order that came
 * before. */
void orders_look(void);
