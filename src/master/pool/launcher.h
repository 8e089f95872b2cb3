/* The launcher: the one way to a new worker. A launch is registered before anything can go wrong with it: the worker is
 * listed, counts against the limits, and may be told to end; its process, and that one's number, may come later. The
 * process may even have ended before its number comes: from launcher_start() to launcher_answer() the reaper keeps the
 * statuses of children it does not know. A worker's death is never told from within these calls. */
#pragma once

#include <sys/types.h>

#include "logic/policy/worker_purpose.h"

struct pool;
struct worker;

/* Launch a worker, for the closing listeners if that is its purpose or the pool closes down, otherwise for the present
 * ones. `reason` is one word for the log, and stays valid. 0, and it is on its way. -errno: failed; logged once an
 * episode, and the pool backs off. */
int launcher_start(struct pool *pool, enum worker_purpose purpose, const char *reason, struct worker **ret);

/* What came of a launch that was under way; to be called once for each, after launcher_start() has returned. Its
 * process runs, or ran (`pid`, a child of ours, and `error` is 0); or there is none (-errno), and the worker is freed,
 * as it is when the number is not one of a child that this launch can have made. */
void launcher_answer(struct worker *worker, pid_t pid, int error);

/* Take in a worker that a former program of this process has launched; `known` is copied. 0; -EINVAL: it cannot be, for
 * its slot is taken, or there is none of that number; -ENOMEM. */
int launcher_adopt(struct pool *pool, const struct worker *known);
