#include "master/daemon/readiness_host.h"

#include <stdlib.h>

#include "master/daemon/private.h"
#include "master/daemon/shutdown.h"
#include "master/manager/readiness.h"
#include "master/status/service_rows.h"

/* All pools; the caller frees the array. NULL: out of memory; readiness tries again later. */
static struct service_pool *describe_pools(void *context, size_t *ret_count)
{
        const struct daemon *daemon = context;
        struct service_pool *rows = calloc(daemon->pools.count + 1, sizeof(*rows));

        for (size_t i = 0; rows && i < daemon->pools.count; i++)
                rows[i] = service_row_of(daemon->pools.items[i]);
        *ret_count = daemon->pools.count;
        return rows;
}

static void on_unable(void *context, const char *why)
{
        shutdown_begin(context, MASTER_EXIT_FAILURE, why);
}

int readiness_host_open(struct daemon *daemon)
{
        const struct readiness_host host = {.context = daemon, .describe_pools = describe_pools, .fail = on_unable};

        return readiness_new(&host, daemon->loop, daemon->reaper, daemon->manager, &daemon->readiness);
}
