#include "worker/runtimes.h"

#include <assert.h>

#include "base/cleanup.h"
#include "worker/runtime_inetd.h"

const struct runtime_ops *runtime_of(enum handler_type type)
{
        static const struct runtime_ops *const runtimes[] = {
                [HANDLER_INETD] = &runtime_inetd,
        };

        /* Types that are known and not built yet are refused with the configuration. */
        assert((unsigned)type < ELEMENTS(runtimes) && runtimes[type]);
        return runtimes[type];
}
