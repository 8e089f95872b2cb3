/* The log sink of a worker: it writes records of base/log to the pipe from which the master reads the handler's stderr,
 * each as one line with the priority prefix of sd-daemon(3). Never blocks: records that do not fit are dropped. */
#pragma once

/* Send the records of this process to `fd`, the write end of the pipe, which the caller keeps. */
void worker_log_start(int fd);
