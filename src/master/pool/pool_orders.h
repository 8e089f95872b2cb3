/* What a pool is ordered to do beside what its configuration says: by people to restart, to pause, to resume and to end
 * a worker, by the daemon to close. Who or what ordered it is said in the log and by `why`. */
#pragma once

#include <sys/types.h>

#include "master/pool/pool.h"

struct pool_config;
struct pool_table;

/* What a former program of this process was ordered. */
void pool_orders_adopt(struct pool *pool, enum pool_mode mode, enum pool_wanted wanted);

/* Begin a new generation: new workers first, old ones retired as the new become ready. */
void pool_order_restart(struct pool *pool, const char *by);

/* Retire every worker and start none. The listeners stay open: clients wait in the kernel's queue, and none is lost if
 * the pool is resumed before they give up. Holds over reloads. */
void pool_order_pause(struct pool *pool, const char *by);

/* Serve again. */
void pool_order_resume(struct pool *pool, const char *by);

/* End the worker of that number now, with its handler; any other process is left alone. Returns its pool, or NULL: it
 * is no worker of ours. */
const struct pool *pool_order_kill_worker(const struct pool_table *pools, pid_t pid, const char *by);

/* Serve what waits, then end. The pool keeps a configuration of its own from here on, if `own_config` is given (it is
 * taken over). The observer hears when it is done. */
void pool_order_close(struct pool *pool, struct pool_config *own_config, const char *why);

/* End every worker of a pool that closes now. */
void pool_order_kill(struct pool *pool);
