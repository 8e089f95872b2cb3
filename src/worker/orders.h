/* The signals of a worker: the master's orders about a request (SIGUSR1), the alarm after the master's death (SIGALRM),
 * and what people send. Of theirs, those that ask a process to end (TERM, HUP, INT, QUIT) retire the worker, and those
 * that mean something to the master alone do nothing.
 *
 * Called by worker_main, its threads and the runtime. The state is static, because signal handlers get no argument.
 * What must stay true: an order affects its own request and no later one, at whatever instruction it arrives; and no
 * other thread's. The master can only signal the process: whichever thread gets the signal sends it on to those whose
 * slots have an order, so that each interrupts its own request. */
#pragma once

#include <stdatomic.h>
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

/* The threads that serve, instead of the one that has called orders_install(): their slots, and their numbers (0: it
 * does not serve). The arrays live as long as the process. */
void orders_set_threads(struct slot *const *slots, const _Atomic pid_t *tids, size_t count);

/* In a thread that serves: its slot; NULL: it serves no more. */
void orders_enter(struct slot *slot);

/* True if the master has ordered the end of the present request of this thread. */
bool orders_end_request(void);

/* Carry out the present order about this thread's request. Call this as soon as `interrupt` has something to signal,
 * for an order that came before. */
void orders_look(void);
