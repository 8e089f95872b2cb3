#include "worker/runtime_builtin.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "builtin/agent.h"
#include "builtin/builtin.h"
#include "os/process/status_object.h"
#include "worker/module_host.h"

/* The one that is in an object of its own. */
static int load_status(const struct worker_plan *plan, const struct prefork_module **ret)
{
        _cleanup_(text_clear) struct text why = {0};
        const char *path = status_object_path();
        const struct status_object *object;

        int r = path ? status_object_load(path, &object, &why) : -ENOENT;
        if (r < 0) {
                log_error("cannot load \"%s\" as uid %u: %s", path ? path : "", geteuid(), text_string(&why));
                return r;
        }
        object->attach(plan->status_fd);
        *ret = &object->module;
        return 0;
}

static int prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        const struct prefork_module *module = builtin_find(plan->pool->handler.list[0]);
        struct module_host *host;

        (void)log_read_fd;
        int r = pool_config_is_status(plan->pool) ? load_status(plan, &module) : module ? 0 : -ENOENT;
        if (pool_config_agent_pool(plan->pool))
                builtin_agent_attach(plan->status_fd);
        if (r == 0)
                r = module_host_new(plan, &host);
        if (r < 0)
                return r;
        r = module_host_start(host, module);
        if (r < 0)
                module_host_end(host);
        else
                *ret = host;
        return r;
}

const struct runtime_ops runtime_builtin = {.prepare = prepare,
                                            .serve = module_host_serve,
                                            .serve_datagram = module_host_serve_datagram,
                                            .interrupt = module_host_interrupt,
                                            .enter = module_host_enter,
                                            .leave = module_host_leave,
                                            .end = module_host_end,
                                            .in_process = true};
