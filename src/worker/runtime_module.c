#include "worker/runtime_module.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/process/module_file.h"
#include "worker/module_host.h"

static int load(const char *path, const struct prefork_module **ret)
{
        _cleanup_(text_clear) struct text why = {0};

        int r = module_file_load(path, ret, &why);
        if (r < 0)
                log_error("cannot load the module \"%s\" as uid %u: %s", path, geteuid(), text_string(&why));
        return r;
}

static int prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        const struct prefork_module *module;
        struct module_host *host;

        (void)log_read_fd;
        int r = module_host_new(plan, &host);
        if (r < 0)
                return r;
        r = load(plan->pool->handler.list[0], &module);
        if (r == 0)
                r = module_host_start(host, module);
        if (r < 0)
                module_host_end(host);
        else
                *ret = host;
        return r;
}

const struct runtime_ops runtime_module = {.prepare = prepare,
                                           .serve = module_host_serve,
                                           .interrupt = module_host_interrupt,
                                           .end = module_host_end,
                                           .in_process = true};
