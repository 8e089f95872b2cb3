/* The obituary of a worker: what its end means, said once, and its legacy to the pool's totals. */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

/* A reaper callback; `context` is the struct worker, which is freed. */
void worker_exit_settle(void *context, pid_t pid, int status, const struct rusage *usage);
