#include "master/reload/effective_config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "master/pool/pool.h"
#include "master/pool/pool_table.h"

/* A lowered max_workers takes the thresholds along, so that they still agree with each other. */
static void shift(const struct pool *pool, struct pool_config *config)
{
        const struct scale_limits limits = pool_scale_limits(pool);

        config->min_spare_workers = limits.min_spare;
        config->max_spare_workers = limits.max_spare;
        config->start_workers = limits.start;
        config->max_workers = limits.max_workers;
}

int effective_config(const struct config *running, const struct pool_table *pools, struct config *ret)
{
        static const struct config nothing;
        struct config view;

        running = running ? running : &nothing;
        view = *running;
        view.pool_count = 0;
        view.pools = calloc(running->pool_count + 1, sizeof(*view.pools));
        for (size_t i = 0; view.pools && i < running->pool_count; i++) {
                const struct pool *pool = pool_table_find(pools, running->pools[i]->name);
                struct pool_config *copy = malloc(sizeof(*copy));
                if (!copy)
                        break;
                *copy = *running->pools[i];
                view.pools[view.pool_count++] = copy;
                if (pool && pool->max_workers_shift != 0)
                        shift(pool, copy);
        }
        if (!view.pools || view.pool_count < running->pool_count) {
                effective_config_clear(&view);
                return -ENOMEM;
        }
        *ret = view;
        return 0;
}

void effective_config_clear(struct config *view)
{
        for (size_t i = 0; i < view->pool_count; i++)
                free(view->pools[i]);
        free(view->pools);
        *view = (struct config){0};
}
