#include "master/pool/launcher_fork.h"

#include "base/secret.h"
#include "logic/protocol/worker_plan.h"
#include "master/pool/launcher_ops.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "os/process/spawn.h"

struct fork_context {
        struct worker_plan plan;
        int (*entry)(const struct worker_plan *plan);
};

static int run_worker(void *context)
{
        const struct fork_context *child = context;

        return child->entry(&child->plan);
}

static int launch(const struct worker *worker, const struct worker_plan *plan, pid_t *ret_pid)
{
        struct fork_context context = {.plan = *plan, .entry = worker->pool->runtime->worker_entry};

        /* The secrets of its own pool, and of no other. */
        int r = secret_share(plan->pool->environment.list);
        if (r == 0)
                r = spawn_child(run_worker, &context, ret_pid);
        secret_unshare(plan->pool->environment.list);
        return r;
}

const struct launcher_ops launcher_fork = {.launch = launch};
