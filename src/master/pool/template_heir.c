#include "master/pool/template_heir.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/config/config.h"
#include "master/pool/pool.h"
#include "master/pool/tallies.h"
#include "master/pool/template.h"
#include "master/pool/template_launch.h"
#include "master/pool/worker.h"
#include "master/pool/worker_exit.h"
#include "master/pool/worker_slots.h"
#include "master/pool/worker_table.h"

static void forget(struct pool *pool)
{
        if (pool->templates.heir)
                template_free(TAKE_PTR(pool->templates.heir));
}

/* The generation begins with it, so all workers are replaced. */
static int inherits(void *context, struct template *heir)
{
        struct pool *pool = context;
        struct worker *worker = worker_table_find(pool, heir->pid);

        if (!worker || pool->mode != POOL_OPEN || heir->generation != pool->generation)
                return -ESRCH;
        int r = template_take(heir, worker, pool->generation + 1);
        if (r < 0)
                return r;
        tallies_look_at(worker);
        heir->requests = worker_requests(worker);
        pool->templates.heir = NULL;
        pool_begin_generation(pool);
        pool_record(pool, LOG_NOTICE, "generation %llu (worker %d has served %llu requests, and is the template)",
                    (unsigned long long)pool->generation, (int)heir->pid, (unsigned long long)heir->requests);
        worker_exit_leave(worker);
        return 0;
}

/* A worker that has ended is replaced, and that one may be the heir. */
static void declined(void *context, struct template *heir, bool refused)
{
        struct pool *pool = context;

        if (refused)
                pool->templates.heirless = heir->generation;
        forget(pool);
}

void template_heir_expect(struct pool *pool, struct template_setup *setup, const struct template *present,
                          struct template_launch *launch)
{
        struct templates *templates = &pool->templates;

        if (pool->config->snapshot_after == 0 || present->is_heir || templates->heir ||
            templates->heirless == pool->generation || launch->worker->purpose == WORKER_DRAIN)
                return;
        setup->host.inherits = inherits;
        setup->host.declined = declined;
        if (template_expect(setup, &launch->fds[TEMPLATE_FD_HEIR], &templates->heir) == 0)
                templates->heir_launch = launch->number;
}

void template_heir_launched(struct pool *pool, uint32_t launch, pid_t pid)
{
        struct template *heir = pool->templates.heir;

        if (!heir || heir->pid != 0 || pool->templates.heir_launch != launch)
                return;
        if (pid > 0)
                heir->pid = pid;
        else
                forget(pool);
}

void template_heir_tend(struct pool *pool, bool is_over)
{
        const struct template *heir = pool->templates.heir;

        if (heir && (is_over || heir->generation != pool->generation || pool->config->snapshot_after == 0))
                forget(pool);
}
