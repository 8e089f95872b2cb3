/* The pipe by which the workers of a pool wake the master: for a turn of the pool, or to look at the records of
 * connections (connection_log), which is another byte.
 *
 * Workers hold the writing end and never the reading end: whoever shares an open file can clear its O_NONBLOCK, and
 * could make the master wait for a read that another process has emptied. The master holds both ends, so that it never
 * sees the end of the file, and never writes. Written by pool. */
#pragma once

#include "logic/policy/wake_limit.h"
#include "master/loop/evloop.h"

/* Called whenever workers have written; may close the pipe. `storm`: they do so too often; told once a storm. */
typedef void wake_function(void *context, bool storm);

/* There are records of connections. Must not close the pipe. */
typedef void wake_records_function(void *context);

struct wake_pipe {
        int read_fd;  /* the master's alone */
        int write_fd; /* non-blocking; shared with all workers of the pool */
        struct evloop_watch *watch;
        struct evloop_timer *pause; /* set while they wake us too often: then nobody watches */
        struct wake_limit limit;
        bool paused; /* the timer is set */
        bool noted;  /* during the pause, see wake_pipe_note() */
        bool storm;  /* and `woken` has not been told */
        wake_function *woken;
        wake_records_function *told;
        void *context;
};

/* Watch the pipe of `read_fd` and `write_fd`, which are taken over also on failure; -1 both: a new one. Whenever
 * workers have written, what they wrote is taken out and `woken` is called, but no more often than
 * logic/policy/wake_limit allows; or `told`, or both. 0 or -errno; wake_pipe_close() in any case. */
int wake_pipe_open(struct wake_pipe *wake, struct evloop *loop, int read_fd, int write_fd, wake_function *woken,
                   wake_records_function *told, void *context);

/* Something else about a worker has happened that others may cause without end. True: look at the pool now. False:
 * `woken` will be called when the pause is over. */
bool wake_pipe_note(struct wake_pipe *wake);

void wake_pipe_close(struct wake_pipe *wake);
