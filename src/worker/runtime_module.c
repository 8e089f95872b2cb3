#include "worker/runtime_module.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/process/module_file.h"
#include "worker/module_host.h"

static int load(const char *path, uint64_t threads, const struct prefork_module **ret)
{
        _cleanup_(text_clear) struct text why = {0};

        int r = module_file_load(path, ret, &why);
        if (r == 0)
                r = module_file_check_threads(*ret, threads, &why);
        if (r < 0)
                log_error("cannot load the module \"%s\" as uid %u: %s", path, geteuid(), text_string(&why));
        return r;
}

/* The configuration was checked for this, but for sockets of units, whose type is known now. */
static int check_listeners(const struct worker_plan *plan, const struct prefork_module *module)
{
        _cleanup_(text_clear) struct text why = {0};
        bool has_datagrams = false;

        for (size_t i = 0; i < plan->listener_count && !has_datagrams; i++)
                has_datagrams = datagram_is_at(plan->listeners[i]);
        if (!has_datagrams || module_file_check_datagrams(module, &why) == 0)
                return 0;
        log_error("the module \"%s\": %s", plan->pool->handler.list[0], text_string(&why));
        return -EPROTOTYPE;
}

static int prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        const struct prefork_module *module;
        struct module_host *host;

        (void)log_read_fd;
        int r = module_host_new(plan, &host);
        if (r < 0)
                return r;
        r = load(plan->pool->handler.list[0], plan->slots, &module);
        if (r == 0)
                r = check_listeners(plan, module);
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
                                           .serve_datagram = module_host_serve_datagram,
                                           .interrupt = module_host_interrupt,
                                           .enter = module_host_enter,
                                           .leave = module_host_leave,
                                           .end = module_host_end,
                                           .in_process = true};
