/* The entry of a worker: sets it up, runs the accept loop, and reports a failure.
 *
 * bin/main passes worker_main() to the master, which runs it in every child that it forks for a pool. What must stay
 * true: a worker ends when it is retired or the master dies; it trusts only the plan, which the master made. */
#pragma once

#include "logic/protocol/worker_plan.h"

/* Run a worker, or the refuser, until it ends; returns its exit code (enum prefork_exit). Call it in the child, with
 * all signals of the master still blocked. */
int worker_main(const struct worker_plan *plan);
