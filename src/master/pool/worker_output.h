/* What handlers write to stderr, and workers say themselves: read from each worker's pipe and logged line by line under
 * its pool and pid.
 *
 * One a worker; outlives it until the last holder of the pipe's writing end is gone, because a handler may leave a
 * child behind. Bounded: one unfinished line of memory, one bite of reading a turn, so that a handler that writes
 * without end slows only itself. */
#pragma once

#include <sys/types.h>

#include "master/state/state_part.h"

struct evloop;
struct worker_output;

/* All that are read. Begin with the loop alone. */
struct worker_outputs {
        struct evloop *loop;
        struct worker_output *first;
};

/* Take over the reading end `fd` and begin. If there is no memory the descriptor is closed and the words are lost. */
void worker_output_start(struct worker_outputs *outputs, const char *pool_name, pid_t worker_pid, int fd);

/* All of them, with the lines that have been begun: for a hand-over; the owner is a struct worker_outputs. */
extern const struct state_part worker_output_part;

/* Log what has been written so far and forget all of them; for the end. */
void worker_output_finish_all(struct worker_outputs *outputs);
