#include "master/reload/fd_budget.h"

#include <string.h>

#include "master/pool/pool.h"
#include "master/pool/pool_table.h"
#include "os/process/resource.h"

/* Of a template: its socket and pipe, the socket of its heir, what is open while an order is sent, and what is kept for
 * workers that wait for theirs. */
static uint64_t needed_by_template(const struct pool_config *pool)
{
        return pool_config_has_template(pool) ? 5 + 2 * pool->max_workers : 0;
}

/* The descriptors that the master needs: its own, one pipe per process, in status pools a socket as well, as many pipes
 * again that outlive their workers,
 * eight and its former scoreboards per pool, and two per listener, because a draining listener has a decoy as well. */
static uint64_t needed_fds(const struct fd_budget *budget, const struct config *config)
{
        uint64_t needed = budget->own;

        for (size_t i = 0; i < config->pool_count; i++)
                needed += pool_config_process_limit(config->pools[i]) + config->pools[i]->max_workers +
                          2 * config->pools[i]->listen.count + 8 + BOARDS_MAX + needed_by_template(config->pools[i]) +
                          (pool_config_asks_master(config->pools[i]) ? pool_config_process_limit(config->pools[i]) : 0);
        /* Present listeners and workers may stay for a while: listeners that drain, workers of removed pools, and
         * workers above a lowered limit. */
        for (size_t i = 0; i < budget->pools->count; i++) {
                const struct pool *pool = budget->pools->items[i];
                const struct pool_config *later = pool->mode == POOL_OPEN ? config_find_pool(config, pool->name) : NULL;
                uint64_t allowed = later ? pool_config_process_limit(later) : 0;
                needed += 2 * (pool->listeners.count + pool->closing.count);
                needed += pool->workers.count > allowed ? pool->workers.count - allowed : 0;
        }
        return needed;
}

static int find_room(const struct fd_budget *budget, const struct config *config,
                     int (*raise_nofile)(uint64_t needed, struct resource_raise *ret), struct problem_list *problems)
{
        struct resource_raise raise;
        uint64_t needed = needed_fds(budget, config);

        int r = raise_nofile(needed, &raise);
        if (r < 0)
                problem_add(
                        problems, NULL, 0,
                        "the pools need %llu open files, the limit is %llu and cannot be raised further (%s); lower "
                        "max_workers or raise LimitNOFILE",
                        (unsigned long long)needed, (unsigned long long)raise.reached, strerror(-r));
        return r;
}

int fd_budget_raise(const struct fd_budget *budget, const struct config *config, struct problem_list *problems)
{
        return find_room(budget, config, resource_raise_nofile, problems);
}

static void check(const void *owner, const struct reload_context *context)
{
        (void)find_room(owner, context->new_config, resource_try_nofile, context->problems);
}

static int prepare(void *owner, const struct reload_context *context)
{
        return fd_budget_raise(owner, context->new_config, context->problems);
}

const struct reload_participant fd_budget_participant = {.name = "descriptors", .check = check, .prepare = prepare};
