/* The refuser: a process that closes connections unserved while no worker of the pool is idle (when_full = refuse).
 *
 * A child of the master like a worker, because the master never touches traffic; holds no slot. Its listeners are
 * non-blocking. It ends when it is retired, which the master does when the pool is not full any more, or when the master
 * dies. */
#pragma once

#include "logic/protocol/worker_plan.h"

/* Run to the end; returns an exit code (enum worker_exit). */
int refuser_run(const struct worker_plan *plan);
