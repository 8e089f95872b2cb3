/* A worker's own words: records of base/log.h, written to the pipe the master reads handlers' stderr from, each as one
 * line with an sd-daemon(3) priority prefix. Never waits: what does not fit is dropped. */
#pragma once

/* Send this process's records to `fd`, the write end of the pipe; not owned. */
void worker_log_start(int fd);
