/* A template before it is the handler: set up as a worker is, without a slot and listeners.
 *
 * Called by worker_main, once. What must stay true: it gets nothing of the pool but its socket to the master and its
 * pipe for records. */
#pragma once

#include "logic/protocol/worker_plan.h"

/* Execute the handler in place of this process. Returns only if that fails: the exit code, and the master was told why.
 */
int template_process_run(const struct worker_plan *plan);
