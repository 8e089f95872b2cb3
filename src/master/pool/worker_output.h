/* What handlers write to stderr, and workers say themselves: read from each worker's pipe and logged line by line under
 * its pool and pid.
 *
 * One a worker; outlives it until the last holder of the pipe's writing end is gone, because a handler may leave a child
 * behind. Bounded: one unfinished line of memory, one bite of reading a turn, so that a handler that writes without end
 * slows only itself. */
#pragma once

#include <sys/types.h>

#include "master/state/state_file.h"

struct daemon;
struct pool;

/* Take over the reading end `fd` and begin. If there is no memory the descriptor is closed and the words are lost. */
void worker_output_start(const struct pool *pool, pid_t worker_pid, int fd);

/* All of them, with the lines that have been begun: for a hand-over. A new reference or NULL; 0, -EPROTO, -ENOMEM. */
json_t *worker_output_write(const struct daemon *daemon, struct state_file *file);
int worker_output_read(struct daemon *daemon, struct state_file *file, const json_t *array);

/* Log what has been written so far and forget all of them; for the end. */
void worker_output_finish_all(struct daemon *daemon);
