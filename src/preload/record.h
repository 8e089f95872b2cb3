/* The worker's own records in a worker that has executed its handler: as worker/worker_log writes them, without libc.
 *
 * Called by preload/service, preload/copies, preload/admission and preload/listener_template. What must stay true: it
 * never waits, and a record that does not fit is dropped and counted. */
#pragma once

#include <stdbool.h>

#include "lib/line.h"

#define RECORD_BYTES 1000 /* of one record, with its prefix: a write to the pipe is atomic */

/* Priorities of syslog(3). */
enum record_priority { RECORD_ERROR = 3, RECORD_WARNING = 4, RECORD_NOTICE = 5, RECORD_INFO = 6 };

/* From now on records go to the log process (`socket_fd`; -1: there is none), or to the pipe that the master reads. */
void record_set_targets(int socket_fd, int pipe_fd);

/* The master has died: nobody reads the pipe. */
void record_leave_pipe(void);

/* Begin a record in `text`, which has RECORD_BYTES bytes; and write it. */
struct line record_begin(char *text, enum record_priority priority);
void record_write(struct line *line);
