/* What people order a pool to do, beside what its configuration says: restart, pause, resume, and the end of one worker.
 * Called by the control commands; `by` says who ordered it, for the log and for `why`. */
#pragma once

#include <sys/types.h>

struct pool;
struct pool_table;

/* Begin a new generation: new workers first, old ones retired as the new become ready. */
void pool_order_restart(struct pool *pool, const char *by);

/* Retire every worker and start none. The listeners stay open: clients wait in the kernel's queue, and none is lost if the
 * pool is resumed before they give up. Holds over reloads. */
void pool_order_pause(struct pool *pool, const char *by);

/* Serve again. */
void pool_order_resume(struct pool *pool, const char *by);

/* End the worker of that number now, with its handler; any other process is left alone. Returns its pool, or NULL: it is
 * no worker of ours. */
const struct pool *pool_order_kill_worker(const struct pool_table *pools, pid_t pid, const char *by);
