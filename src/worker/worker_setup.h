/* The setting-up of a worker: from a copy of the master to a process with the pool's descriptors, limits, directories
 * and credentials, in that order. */
#pragma once

#include "logic/protocol/worker_plan.h"

struct worker_failure {
        enum worker_stage stage;
        int error; /* positive errno */
};

/* Turn this child into what the plan says. `keep_fd` is a further descriptor to keep open, or -1. Afterwards 0 and 1 are /dev/null
 * and 2 is what the pool's `stderr` asks for, signals are as a new process has them except that DOOR_SIGNAL is still
 * blocked. 0, or -errno with *ret filled in. */
int worker_setup(const struct worker_plan *plan, int keep_fd, struct worker_failure *ret);
