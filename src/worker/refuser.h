/* The refuser: a process that closes connections unserved while the pool is saturated (when_full = refuse).
 *
 * It is a child of the master, which never touches traffic itself, and has no slot. master/pool/scaler starts it, and
 * retires it when the pool is no longer saturated. It also ends when the master dies. Its listeners are
 * non-blocking. */
#pragma once

#include "logic/protocol/worker_plan.h"

/* Run until it is retired; returns an exit code (enum prefork_exit). */
int refuser_run(const struct worker_plan *plan, struct prefork_scoreboard *board);
