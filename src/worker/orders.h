/* The signals of a worker: the master's orders about a request, the end of an orphan's time, and SIGTERM from people.
 *
 * There is static state, because signal handlers get no argument; one worker a process. What must stay true: an order hits
 * the request it is about and no later one, at whatever instruction it comes in. */
#pragma once

#include <stddef.h>

#include "lib/slot.h"

/* The signals that have a handler in a worker, the retire signal of lib/door included: what is executed gets the default
 * for each. */
extern const int orders_caught[];
extern const size_t orders_caught_count;

/* Install the handlers: orders are read from `slot`, and what serves the request is reached by `interrupt` (runtime.h).
 * SIGTERM, which has been blocked until now, is unblocked. 0 or -errno of sigaction(2). */
int orders_install(const struct slot *slot, void (*interrupt)(int signal_number));

/* Carry out an order that came in before `interrupt` could reach anything: to be called when it can. */
void orders_look(void);
