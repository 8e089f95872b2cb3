/* Orders to a pool that are not part of its configuration: restart, pause, resume, drain, kill a worker (control
 * commands), and close (the daemon, reloads). The log and `preforkctl why` name who ordered it. */
#pragma once

#include <sys/types.h>

#include "master/pool/pool.h"

struct pool_config;
struct pool_table;

/* Set the orders that were given before an upgrade. Called by pool_state. */
void pool_orders_adopt(struct pool *pool, enum pool_mode mode, enum pool_wanted wanted);

/* Begin a new generation with a fresh scoreboard: new workers are started first, and old ones are retired as the new
 * ones become ready. */
void pool_order_restart(struct pool *pool, const char *by);

/* Retire every worker and start none. The listeners stay open: clients wait in the kernel's queue and are served if the
 * pool is resumed before they give up. Reloads do not end a pause. */
void pool_order_pause(struct pool *pool, const char *by);

/* End the pause. */
void pool_order_resume(struct pool *pool, const char *by);

/* Serve on, and tell balancers to send nobody else: the pool is "draining" in the status. Independent of a pause;
 * neither reloads nor restarts end it. */
void pool_order_drain(struct pool *pool, const char *by);

/* End that. */
void pool_order_undrain(struct pool *pool, const char *by);

/* Kill the worker with that pid and its handler now. Returns its pool, or NULL if `pid` is not a worker of these
 * pools. */
const struct pool *pool_order_kill_worker(const struct pool_table *pools, pid_t pid, const char *by);

/* Close the pool: serve the waiting connections, then end. If `own_config` is given, the pool owns and uses it from
 * here on. observer.done() is called at the end. */
void pool_order_close(struct pool *pool, struct pool_config *own_config, const char *why);

/* Kill every worker of a closing pool now, and record how many requests that ends. */
void pool_order_kill(struct pool *pool, const char *by);
