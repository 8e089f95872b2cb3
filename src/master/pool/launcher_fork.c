#include "master/pool/launcher_fork.h"

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

        return spawn_child(run_worker, &context, ret_pid);
}

const struct launcher_ops launcher_fork = {.launch = launch};
