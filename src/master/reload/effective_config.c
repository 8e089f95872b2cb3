#include "master/reload/effective_config.h"

#include <errno.h>
#include <stdlib.h>

#include "master/pool/pool.h"
#include "master/pool/pool_table.h"

int effective_config(const struct config *running, const struct pool_table *pools, struct config *ret)
{
        static const struct config nothing;
        struct config view = running ? *running : nothing;

        view.pools = calloc(view.pool_count + 1, sizeof(struct pool_config *));
        if (!view.pools)
                return -ENOMEM;
        for (size_t i = 0; i < view.pool_count; i++) {
                struct pool *pool = pool_table_find(pools, running->pools[i]->name);
                view.pools[i] = pool && !overlay_is_empty(&pool->overlay) ? &pool->overlay.limits : running->pools[i];
        }
        *ret = view;
        return 0;
}

void effective_config_clear(struct config *view)
{
        free(view->pools);
        *view = (struct config){0};
}
