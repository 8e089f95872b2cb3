#include "worker/runtime_builtin.h"

#include <errno.h>

#include "builtin/builtin.h"
#include "worker/module_host.h"

static int prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        const struct prefork_module *module = builtin_find(plan->pool->handler.list[0]);
        struct module_host *host;

        (void)log_read_fd;
        if (!module)
                return -ENOENT;
        int r = module_host_new(plan, &host);
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
