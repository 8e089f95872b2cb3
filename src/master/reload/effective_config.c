#include "master/reload/effective_config.h"

#include <errno.h>
#include <stdlib.h>

#include "master/pool/pool.h"
#include "master/pool/pool_table.h"

int effective_config(const struct config *running, const struct pool_table *pools, struct config *ret)
{
        struct config view = {0};

        if (running)
                view = *running;
        struct pool_config **configured = view.pools;
        view.pools = calloc(view.pool_count + 1, sizeof(struct pool_config *));
        if (!view.pools)
                return -ENOMEM;
        for (size_t i = 0; i < view.pool_count; i++) {
                struct pool *pool = pool_table_find(pools, configured[i]->name);
                view.pools[i] = pool && !overlay_is_empty(&pool->overlay) ? &pool->overlay.limits : configured[i];
        }
        *ret = view;
        return 0;
}

void effective_config_clear(struct config *view)
{
        free(view->pools);
        *view = (struct config){0};
}
