/* Handles the end of a worker: logs it, adds its counters to the pool's, reports failures to health, and frees it. */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

struct worker;

/* A reaper callback; `context` is the struct worker, which is freed. */
void worker_exit_settle(void *context, pid_t pid, int status, const struct rusage *usage);

/* The worker's process serves no more, and is something else from now on: its registration with the reaper has been
 * moved. Adds its counters to the pool's, and frees the worker. */
void worker_exit_leave(struct worker *worker);
