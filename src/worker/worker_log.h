/* The log sink of a worker: its records of base/log, each as one line with the priority prefix of sd-daemon(3).
 *
 * They go to the log process, through a socket of the worker's own, where records go to a file; else, or when that
 * process has gone, into the pipe from which the master reads the handler's stderr. Never blocks: records that do not
 * fit are dropped, and their number is reported after the next one that does. */
#pragma once

#include <stdatomic.h>

/* The descriptors are the caller's. */
struct worker_log {
        int pipe_fd;   /* the writing end of the pipe */
        int socket_fd; /* -1: there is none, or nobody reads it any more */
        atomic_uint dropped;
};

/* Send the records of this process there; `log` must outlive its use. */
void worker_log_start(struct worker_log *log);
