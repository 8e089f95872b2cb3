#include "master/pool/launcher_fork.h"

#include "master/pool/launcher_ops.h"
#include "master/pool/plan_fork.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"

static int launch(struct worker *worker, const struct worker_plan *plan, pid_t *ret_pid)
{
        return plan_fork(plan, worker->pool->runtime->worker_entry, ret_pid);
}

const struct launcher_ops launcher_fork = {.launch = launch};
