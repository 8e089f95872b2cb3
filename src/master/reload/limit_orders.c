#include "master/reload/limit_orders.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "master/pool/pool.h"
#include "master/pool/pool_table.h"
#include "master/reload/effective_config.h"
#include "master/reload/fd_budget.h"
#include "master/reload/reload.h"

/* Raise the limit of open files: more workers need more descriptors. */
static int find_descriptors(const struct reload *reload, const struct fd_budget *budget, const struct pool *pool,
                            struct overlay *overlay, struct problem_list *problems)
{
        _cleanup_(effective_config_clear) struct config config = {0};

        int r = effective_config(*reload->config, reload->pools, &config);
        if (r < 0)
                return r;
        for (size_t i = 0; i < config.pool_count; i++)
                if (config.pools[i] == pool->config)
                        config.pools[i] = &overlay->limits;
        return fd_budget_raise(budget, &config, problems) < 0 ? -ERANGE : 0;
}

/* Make the listeners non-blocking for a refuser: if it blocked in accept(2), it would take the next client from a
 * worker. */
static void let_refuse(struct pool *pool)
{
        for (size_t i = 0; i < pool->listeners.count; i++) {
                int r = listener_make_nonblocking(&pool->listeners.items[i].listener);
                if (r < 0)
                        pool_record(pool, LOG_WARNING, "listen %s: cannot make it non-blocking: %s",
                                    pool->listeners.items[i].name, strerror(-r));
        }
}

int limit_orders_scale(const struct reload *reload, const struct fd_budget *budget, struct pool *pool,
                       char *const *settings, size_t count, const char *by, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text words = {0};
        struct overlay overlay;

        int r = overlay_scale(&pool->overlay, pool->configured, settings, count, &overlay, problems);
        if (r == 0 && !problem_list_refuses(problems))
                r = find_descriptors(reload, budget, pool, &overlay, problems);
        if (r < 0 || problem_list_refuses(problems)) {
                overlay_clear(&overlay);
                return r == -ENOMEM ? r : 0;
        }
        pool_set_overlay(pool, &overlay);
        if (pool->config->when_full == FULL_REFUSE)
                let_refuse(pool);
        pool_apply_config(pool);
        r = overlay_print(&pool->overlay, &words);
        const struct scale_limits limits = pool_scale_limits(pool);
        pool_record(pool, LOG_NOTICE, "max_workers %u, spare %u to %u until the next reload (%s)%s%s",
                    limits.max_workers, limits.min_spare, limits.max_spare, by, r == 0 && words.length > 0 ? ": " : "",
                    text_string(&words));
        return 0;
}

void limit_orders_shift(const struct pool_table *pools, int by)
{
        for (size_t i = 0; i < pools->count; i++) {
                struct pool *pool = pools->items[i];
                struct overlay overlay;
                int r = overlay_shift(&pool->overlay, pool->configured, by, &overlay);
                if (r == -ENOMEM)
                        pool_record(pool, LOG_ERR, "max_workers stays: %s", strerror(-r));
                if (r < 0)
                        continue;
                pool_set_overlay(pool, &overlay);
                pool_apply_config(pool);
                pool_record(pool, LOG_NOTICE, "max_workers is %u until the next reload",
                            pool_scale_limits(pool).max_workers);
        }
}
