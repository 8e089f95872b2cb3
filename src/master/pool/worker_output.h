/* Reads what handlers write to stderr, and the messages of workers, from each worker's pipe, and logs it line by line
 * under its pool and pid.
 *
 * Owned by struct daemon. There is one pipe per worker. It outlives the worker until the last process that holds the
 * writing end has gone, because a handler may leave a child behind. What must stay true: at most max_workers of a pool
 * outlive their workers, or children that stay would use up our descriptors; it keeps at most one unfinished line in
 * memory and reads one bite per turn of the loop, so that a handler that writes without end slows down only itself.
 * What a pool logs of it is limited too (output_group). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "master/state/state_part.h"

struct evloop;
struct output_group;
struct pool_config;
struct worker_output;

/* All pipes that are read. Initialise with the loop only. */
struct worker_outputs {
        struct evloop *loop;
        struct worker_output *first;
        struct output_group *groups; /* one a pool that has any */
};

/* Open the pipe of a worker that is about to be launched. Before the launch, because a worker whose pipe nobody reads
 * would have its handlers killed by SIGPIPE. 0 with the output, which is owned by `outputs`, and with the writing end,
 * which is the caller's; -errno. */
int worker_output_open(struct worker_outputs *outputs, const struct pool_config *pool, struct worker_output **ret,
                       int *ret_write_fd);

/* The worker was launched. What it has written before is read from now on, as its own. */
void worker_output_begin(struct worker_output *output, pid_t worker_pid);

/* The worker was not launched, as far as is known: log what was written and close the pipe. NULL is ignored. */
void worker_output_cancel(struct worker_output *output);

/* The limits of a pool have changed. */
void worker_output_limit(const struct worker_outputs *outputs, const struct pool_config *pool);

/* The worker has ended. Of the pipes of that pool that outlive their workers, at most `most` stay, the youngest. */
void worker_output_outlive(struct worker_outputs *outputs, const char *pool_name, pid_t worker_pid, uint64_t most);

/* The part of a hand-over: all pipes, with their unfinished lines. The owner is a struct worker_outputs. */
extern const struct state_part worker_output_part;

/* Log what has been written so far and close all pipes, at the end of the daemon. */
void worker_output_finish_all(struct worker_outputs *outputs);
