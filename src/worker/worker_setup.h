/* The setup of a worker: turns a fork of the master into a process with the pool's descriptors, limits, directories and
 * credentials. Called by the worker and the refuser, once. */
#pragma once

#include "logic/protocol/worker_plan.h"

struct worker_failure {
        enum prefork_stage stage;
        int error; /* positive errno */
};

/* Descriptors that a worker opens itself, before its root directory and credentials change. -1: it has none. */
struct worker_fds {
        int statm;    /* recycling: its memory */
        int log_read; /* its reader of the log pipe, see pipe_reader_open() */
        int board;    /* the scoreboard, for a program that it will execute in its place */
};

/* Set this child up according to the plan. What `own` has stays open; NULL: nothing. Afterwards 0 and 1 are /dev/null,
 * 2 is what the pool's `stderr` sets, and signals are those of a new process, except that DOOR_SIGNAL and SIGTERM are
 * still blocked. 0, or -errno with *ret filled in. */
int worker_setup(const struct worker_plan *plan, const struct worker_fds *own, struct worker_failure *ret);
