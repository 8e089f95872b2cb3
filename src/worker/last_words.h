/* What a worker reads of its own stderr after the master's death (lib/stderr_rest), as records.
 *
 * Called by runtime_inetd while a handler runs, and by worker_main at the end of an orphaned worker: what a handler
 * said last may still be in the pipe then, because it ended before the master did. */
#pragma once

#include <sys/types.h>

/* As stderr_rest_read(). */
void last_words_read(int log_read_fd, pid_t pid);
