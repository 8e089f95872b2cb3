/* The log sink of a worker: it writes records of base/log to the pipe from which the master reads the handler's stderr,
 * each as one line with the priority prefix of sd-daemon(3). Never blocks: records that do not fit are dropped. */
#pragma once

/* Open a reader of the pipe whose writing end is `write_fd`: an open file of the worker's own, which is non-blocking
 * and closed on execution. With it, a worker whose master was killed can read what its handler writes. Call it while
 * the worker still is the user that made the pipe. -1: there is none, because /proc is not mounted. From then on
 * whoever is given the pipe may open it again to write (/dev/stderr), but not to read, whatever its user. */
int worker_log_open_reader(int write_fd);

/* Send the records of this process to `fd`, the write end of the pipe, which the caller keeps. */
void worker_log_start(int fd);
