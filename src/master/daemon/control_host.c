#include "master/daemon/control_host.h"

#include "master/control/control_socket.h"
#include "master/daemon/log_host.h"
#include "master/daemon/private.h"
#include "master/daemon/shutdown.h"
#include "master/daemon/upgrade_host.h"
#include "master/reload/limit_orders.h"
#include "master/reload/reload_queue.h"
#include "master/upgrade/upgrade.h"

static struct status_of_daemon describe(void *context)
{
        static const char *const words[] = {[DAEMON_STARTING] = "starting",
                                            [DAEMON_RUNNING] = "running",
                                            [DAEMON_DRAINING] = "draining",
                                            [DAEMON_STOPPING] = "stopping",
                                            [DAEMON_KILLING] = "stopping"};
        const struct daemon *daemon = context;

        return (struct status_of_daemon){.state = words[daemon->state],
                                         .pid = daemon->pid,
                                         .started_ms = daemon->started_ms,
                                         .started_wall_ms = daemon->started_wall_ms,
                                         .config_refused = daemon->config_refused,
                                         .configured_wall_ms = daemon->configured_wall_ms,
                                         .upgrades = daemon->upgrades,
                                         .total = {.max = daemon->budget.total,
                                                   .used = daemon->budget.total > 0 ? budget_used(&daemon->budget) : 0},
                                         .memory_bytes = daemon->pool_runtime.memory_bytes,
                                         .cpus = daemon->pool_runtime.cpus,
                                         .log = log_host_describe(daemon)};
}

static const struct config *running_config(void *context)
{
        const struct daemon *daemon = context;

        return daemon->config;
}

static bool is_stopping(void *context)
{
        const struct daemon *daemon = context;

        return daemon->state >= DAEMON_DRAINING;
}

static uint64_t last_load(void *context)
{
        const struct daemon *daemon = context;

        return daemon->reloads->loads;
}

static void reload(void *context)
{
        const struct daemon *daemon = context;

        reload_queue_reload(daemon->reloads);
}

static void dry_run(void *context)
{
        const struct daemon *daemon = context;

        reload_queue_try(daemon->reloads);
}

static uint64_t reopen_logs(void *context)
{
        return log_host_reopen(context);
}

static int scale(void *context, struct pool *pool, char *const *settings, size_t count, const char *by,
                 struct problem_list *problems)
{
        const struct daemon *daemon = context;

        return limit_orders_scale(&daemon->reload, &daemon->fd_budget, pool, settings, count, by, problems);
}

static void stop(void *context, bool now, const char *by)
{
        if (now)
                shutdown_at_once(context, by);
        else
                shutdown_after_delay(context, by);
}

static bool is_upgrading(void *context)
{
        const struct daemon *daemon = context;

        return upgrade_is_under_way(daemon->upgrade);
}

static void upgrade(void *context, const char *path, const char *by)
{
        upgrade_host_begin(context, path, by);
}

int control_host_open(struct daemon *daemon)
{
        const struct control_dispatch dispatch = {.context = &daemon->control_host, .execute = control_execute};

        daemon->control_host = (struct control_host){.context = daemon,
                                                     .pools = &daemon->pools,
                                                     .describe = describe,
                                                     .config = running_config,
                                                     .is_stopping = is_stopping,
                                                     .last_load = last_load,
                                                     .reload = reload,
                                                     .dry_run = dry_run,
                                                     .reopen_logs = reopen_logs,
                                                     .scale = scale,
                                                     .stop = stop,
                                                     .is_upgrading = is_upgrading,
                                                     .upgrade = upgrade};
        return control_new(daemon->loop, &dispatch, &daemon->control);
}
