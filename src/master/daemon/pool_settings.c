#include "master/daemon/pool_settings.h"

#include "master/daemon/private.h"
#include "master/pool/pool.h"
#include "master/pool/pool_budget.h"

void pool_settings_apply(struct daemon *daemon)
{
        const struct master_config *config = &daemon->config->master;
        unsigned total = (unsigned)config->max_workers_total;

        daemon->pool_runtime.orphan_timeout_ms = config->shutdown_timeout_ms;
        if (daemon->budget.total == total)
                return;
        daemon->budget.total = total;
        for (size_t i = 0; i < daemon->pools.count; i++) {
                pool_budget_note(daemon->pools.items[i]);
                pool_touch(daemon->pools.items[i]);
        }
}
