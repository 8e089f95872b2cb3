/* What is said on the stderr of a worker after the master, which reads it, has died: the worker reads it itself, so
 * that nobody is killed by SIGPIPE or blocked by a full pipe, and a log process, which lives on, gets it.
 *
 * Called by runtime_inetd while a handler runs, and by worker_main at the end of an orphaned worker: what a handler
 * said last may still be in the pipe then, because it ended before the master did. What must stay true: a process that
 * a handler leaves behind may write for ever, and keeps no worker. */
#pragma once

#include <sys/types.h>

/* Until the child `pid` has ended, which is not reaped, and what it had said by then is read; 0: what is there. */
void last_words_read(int log_read_fd, pid_t pid);
