#include "worker/handler_limits.h"

#include <errno.h>
#include <sys/resource.h>

#include "os/process/resource.h"

static void add(struct handler_limits *limits, int resource, struct rlimit value)
{
        limits->items[limits->count++] = (struct spawn_limit){.resource = resource, .value = value};
}

void handler_limits_plan(const struct worker_plan *plan, struct handler_limits *ret)
{
        *ret = (struct handler_limits){0};
        for (enum limit i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_value *limit = &plan->pool->limits[i];
                if (limit->set)
                        add(ret, limit_resource(i), (struct rlimit){limit->soft, limit->hard});
                else if (i == LIMIT_NOFILE)
                        add(ret, RLIMIT_NOFILE, plan->original->of[RESOURCE_NOFILE]);
        }
}

int handler_limits_apply(const struct handler_limits *limits)
{
        for (size_t i = 0; i < limits->count; i++)
                if (setrlimit((__rlimit_resource_t)limits->items[i].resource, &limits->items[i].value) < 0)
                        return -errno;
        return 0;
}
