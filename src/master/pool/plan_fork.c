#include "master/pool/plan_fork.h"

#include "base/secret.h"
#include "logic/protocol/worker_plan.h"
#include "os/process/spawn.h"

struct fork_context {
        const struct worker_plan *plan;
        int (*entry)(const struct worker_plan *plan);
};

static int run(void *context)
{
        const struct fork_context *child = context;

        return child->entry(child->plan);
}

int plan_fork(const struct worker_plan *plan, int (*entry)(const struct worker_plan *plan), pid_t *ret_pid)
{
        struct fork_context context = {.plan = plan, .entry = entry};

        int r = secret_share(plan->pool->environment.list);
        if (r == 0)
                r = spawn_child(run, &context, ret_pid);
        secret_unshare(plan->pool->environment.list);
        return r;
}
