/* What handlers write to stderr, and workers say themselves: read from each worker's pipe and logged line by line under
 * its pool and pid.
 *
 * One a worker; outlives it until the last holder of the pipe's writing end is gone, because a handler may leave a child
 * behind. Bounded: one unfinished line of memory, one bite of reading a turn, so that a handler that writes without end
 * slows only itself. */
#pragma once

#include <sys/types.h>

struct pool;

/* Take over the reading end `fd` and begin. If there is no memory the descriptor is closed and the words are lost. */
void handler_output_start(const struct pool *pool, pid_t worker_pid, int fd);

/* Log what has been written so far and forget all of them; for the end. */
struct master;
void handler_output_finish_all(struct master *master);
