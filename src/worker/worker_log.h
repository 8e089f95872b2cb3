/* The log sink of a worker: its records of base/log, each as one line with the priority prefix of sd-daemon(3).
 *
 * They go to the log process, through a socket of the worker's own, where records go to a file; else, or when that
 * process has gone, into the pipe from which the master reads the handler's stderr. Never blocks: records that do not
 * fit are dropped, and their number is reported after the next one that does. */
#pragma once

#include <stdatomic.h>

/* Open a reader of the pipe whose writing end is `write_fd`: an open file of the worker's own, which is non-blocking
 * and closed on execution. With it, a worker whose master was killed can read what its handler writes. Call it while
 * the worker still is the user that made the pipe. -1: there is none, because /proc is not mounted. From then on
 * whoever is given the pipe may open it again to write (/dev/stderr), but not to read, whatever its user. */
int worker_log_open_reader(int write_fd);

/* The descriptors are the caller's. */
struct worker_log {
        int pipe_fd;   /* the writing end of the pipe */
        int socket_fd; /* -1: there is none, or nobody reads it any more */
        atomic_uint dropped;
};

/* Send the records of this process there; `log` must outlive its use. */
void worker_log_start(struct worker_log *log);
