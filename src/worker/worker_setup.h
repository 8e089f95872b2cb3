/* The setup of a worker: turns a fork of the master into a process with the pool's descriptors, limits, directories and
 * credentials. Called by the worker and the refuser, once. */
#pragma once

#include "logic/protocol/worker_plan.h"

struct worker_failure {
        enum worker_stage stage;
        int error; /* positive errno */
};

/* Set this child up according to the plan. `keep_fd` is a further descriptor to keep open, or -1. Afterwards 0 and 1
 * are /dev/null, 2 is what the pool's `stderr` sets, and signals are those of a new process, except that DOOR_SIGNAL
 * and SIGTERM are still blocked. 0, or -errno with *ret filled in. */
int worker_setup(const struct worker_plan *plan, int keep_fd, struct worker_failure *ret);
