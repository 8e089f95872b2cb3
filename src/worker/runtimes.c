#include "worker/runtimes.h"

#include <assert.h>

#include "base/cleanup.h"
#include "worker/runtime_builtin.h"
#include "worker/runtime_inetd.h"
#include "worker/runtime_listener.h"
#include "worker/runtime_module.h"

const struct runtime_ops *runtime_of(enum handler_type type)
{
        static const struct runtime_ops *const runtimes[] = {
                [HANDLER_INETD] = &runtime_inetd,
                [HANDLER_LISTENER] = &runtime_listener,
                [HANDLER_MODULE] = &runtime_module,
                [HANDLER_BUILTIN] = &runtime_builtin,
        };

        /* The configuration refuses types that are not available yet. */
        assert((unsigned)type < ELEMENTS(runtimes) && runtimes[type]);
        return runtimes[type];
}
