/* The launcher: the only way to start a worker. A worker is registered before its process is created: it is in the
 * table, counts against the limits, and may be ordered to end, although its process or its pid may come later. The
 * process may even end before its pid is known: from launcher_start() to launcher_answer() the reaper keeps the
 * statuses of unregistered children. Called by turn_orders. What must stay true: the end of a worker is never reported
 * from within these calls. */
#pragma once

#include <sys/types.h>

#include "logic/policy/worker_purpose.h"

struct pool;
struct worker;

/* Launch a worker: for the closing listeners if that is its purpose or the pool is closing, otherwise for the present
 * ones. `reason` is one word for the log, and must stay valid. 0: the launch has begun or succeeded. -errno: it failed;
 * this is logged once until a launch succeeds, and the pool backs off. */
int launcher_start(struct pool *pool, enum worker_purpose purpose, const char *reason, struct worker **ret);

/* Call this once when an asynchronous launch ends, after launcher_start() has returned. `error` 0: the process, a child
 * of the master, runs or ran as `pid`. `error` -errno: there is none, and the worker is freed; so it is if `pid` cannot
 * be the child of this launch, and if `error` is -ECANCELED, which is no failure of the pool. Returns 0, or the error
 * with which the launch has failed: `error`, or -EPROTO if `pid` cannot be. */
int launcher_answer(struct worker *worker, pid_t pid, int error);

/* Adopt a worker that the program before the upgrade has launched; `known` is copied. 0; -EINVAL: its slot is taken or
 * does not exist; -ENOMEM. */
int launcher_adopt(struct pool *pool, const struct worker *known);
