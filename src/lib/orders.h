/* The signals of a worker: the master's orders about a request (SIGUSR1), the alarm after the master's death (SIGALRM),
 * and what people send. Of theirs, those that ask a process to end (TERM, HUP, INT, QUIT) retire the worker, and those
 * that mean something to the master alone do nothing.
 *
 * Called by worker_main, its threads and the runtime, and by the preload object in a worker that has executed its
 * handler. The state is static, because signal handlers get no argument.
 * What must stay true: an order affects its own request and no later one, at whatever instruction it arrives; and no
 * other thread's. The master can only signal the process: whichever thread gets the signal sends it on to those whose
 * slots have an order, so that each interrupts its own request. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/slot.h"

/* The signals that have a handler in a worker, including the retire signal of lib/door. An executed program must have
 * the default disposition for each. */
extern const int orders_caught[];
extern const size_t orders_caught_count;

/* What serves a worker's requests, as far as orders go. */
struct orders_target {
        /* SIGTERM or SIGKILL: send it to what serves the present request of this thread, if there is one. 0, or -errno
         * of kill(2): it was not allowed. Async-signal-safe. */
        int (*interrupt)(int signal_number);
        bool in_process; /* the worker's own process serves: KILL ends it */
};

/* Install the handlers and unblock the signals. They read orders from `slot` and interrupt the request by *target,
 * which is copied. Both are NULL in a worker without requests. 0 or -errno of sigaction(2). */
int orders_install(struct slot *slot, const struct orders_target *target);

/* The threads that serve, instead of the one that has called orders_install(): their slots, and their numbers (0: it
 * does not serve). The arrays live as long as the process. */
void orders_set_threads(struct slot *const *slots, const _Atomic pid_t *tids, size_t count);

/* In a thread that serves: its slot; NULL: it serves no more. */
void orders_enter(struct slot *slot);

/* True if the master has ordered the end of the present request of this thread. */
bool orders_end_request(void);

/* Of a request whose handler has ended, and whose connection is still watched for the client's end (lib/last_input): an
 * order ends that. -1: not any more. */
void orders_linger(int connection);

/* Do to the present request what an order does: SIGTERM or SIGKILL. Async-signal-safe. */
void orders_interrupt(int signal_number);

/* Call this for each SIGALRM that is not the one after the master's death. */
void orders_set_alarm(void (*on_alarm)(void));

/* Carry out the present order about this thread's request. Call this as soon as `interrupt` has something to signal,
 * for an order that came before. */
void orders_look(void);
