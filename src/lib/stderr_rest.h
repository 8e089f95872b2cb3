/* What is said on the stderr of a worker after the master, which reads it, has died: the worker reads it itself, so
 * that nobody is killed by SIGPIPE or blocked by a full pipe, and a log process, which lives on, gets it.
 *
 * Called by worker/last_words and preload/stderr_reader, which pass it on. What must stay true: a process that a
 * handler leaves behind may write for ever, and keeps no worker. Async-signal-safe. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Read from `fd`, and call `feed` with what is read, until the child `pid` has ended, which is not reaped, and what it
 * had said by then is read. 0: what is there. `fd` is non-blocking; -1: there is nothing to read, and this only waits.
 */
void stderr_rest_read(int fd, pid_t pid, void (*feed)(void *context, const char *bytes, size_t length), void *context);
