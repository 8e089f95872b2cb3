#include "worker/runtimes.h"

#include <assert.h>

#include "base/cleanup.h"
#include "worker/runtime_builtin.h"
#include "worker/runtime_inetd.h"
#include "worker/runtime_listener.h"
#include "worker/runtime_module.h"
#include "worker/runtime_template.h"

const struct runtime_ops *runtime_of(const struct pool_config *pool)
{
        static const struct runtime_ops *const runtimes[] = {
                [HANDLER_INETD] = &runtime_inetd,
                [HANDLER_LISTENER] = &runtime_listener,
                [HANDLER_MODULE] = &runtime_module,
                [HANDLER_BUILTIN] = &runtime_builtin,
        };

        if (pool_config_is_copied(pool))
                return &runtime_template;
        /* The configuration refuses types that are not available yet. */
        assert((unsigned)pool->handler_type < ELEMENTS(runtimes) && runtimes[pool->handler_type]);
        return runtimes[pool->handler_type];
}
