/* The end of a worker: what it means, said once, and what it leaves to the pool's counters. */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

/* A reaper callback; `context` is the struct worker, which is freed. */
void worker_exit_settle(void *context, pid_t pid, int status, const struct rusage *usage);
