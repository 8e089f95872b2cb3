/* The worker: waits for a connection, serves it through the handler, reports, and again.
 *
 * Entered once in a freshly forked child. What must stay true: a connection it has accepted is served or, if that is
 * impossible, its failure is logged; it never outlives its usefulness (the door, the master's death); it trusts the
 * plan, which the master made, and nothing else. */
#pragma once

#include "logic/protocol/worker_plan.h"

/* Run a worker to its end; returns its exit code (enum worker_exit). To be called in the child with all the master's
 * signals still blocked. */
int worker_main(const struct worker_plan *plan);
