#include "master/daemon/pool_host.h"

#include "master/daemon/private.h"
#include "master/daemon/shutdown.h"
#include "master/manager/fd_store.h"
#include "master/manager/readiness.h"
#include "master/pool/launcher_fork.h"
#include "master/pool/launcher_template.h"
#include "master/pool/pool.h"
#include "master/pool/pool_turn.h"
#include "master/reload/listener_repair.h"
#include "master/status/report.h"
#include "master/upgrade/upgrade.h"
#include "os/process/usage.h"

static void on_pool_changed(void *context, struct pool *pool)
{
        struct daemon *daemon = context;

        (void)pool;
        readiness_touch(daemon->readiness);
        if (daemon->template_traffic.held && daemon->template_traffic.in_flight == 0)
                upgrade_look_again(daemon->upgrade);
}

static void on_listener_leaves(void *context, struct pool_listener *item)
{
        struct daemon *daemon = context;

        if (daemon->state < DAEMON_STOPPING) /* during a stop the next master takes the listener over */
                fd_store_release(daemon->fd_store, item->name, &item->listener);
}

static void on_open_listeners(void *context, struct pool *pool)
{
        const struct daemon *daemon = context;

        listener_repair(&daemon->pool_changes.sources, pool);
}

static void on_pool_done(void *context, struct pool *pool)
{
        struct daemon *daemon = context;

        pool_table_remove(&daemon->pools, pool);
        report_pool(pool);
        pool_free(pool);
        shutdown_end_if_done(daemon);
}

static bool takes_log_sources(const void *context)
{
        const struct daemon *daemon = context;

        return daemon->log_process && daemon->log_process->orders_fd >= 0;
}

static void add_log_source(const void *context, const char *pool, pid_t worker, int fd)
{
        const struct daemon *daemon = context;

        if (daemon->log_process)
                log_process_add_source(daemon->log_process, pool, worker, fd);
}

static void add_status_link(void *context, pid_t worker, int own)
{
        struct daemon *daemon = context;

        status_links_add(&daemon->status_links, worker, own);
}

static void remove_status_link(void *context, pid_t worker)
{
        struct daemon *daemon = context;

        status_links_remove(&daemon->status_links, worker);
}

/* What pools need from the daemon. pool_settings_apply() sets the rest. */
void pool_host_open(struct daemon *daemon)
{
        const struct daemon_setup *setup = daemon->setup;

        daemon->outputs.loop = daemon->loop;
        status_links_open(&daemon->status_links, daemon->loop, &daemon->control_host);
        daemon->pool_runtime = (struct pool_runtime){
                .loop = daemon->loop,
                .reaper = daemon->reaper,
                .outputs = &daemon->outputs,
                .launcher = &launcher_fork,
                .template_launcher = &launcher_template,
                .templates = &daemon->template_traffic,
                .budget = &daemon->budget,
                .pressure = &daemon->pressure,
                .worker_entry = setup->worker_entry,
                .signals = &setup->signals,
                .original_limits = &setup->original_limits,
                .master_pid = daemon->pid,
                .cpus = process_cpus(),
                .memory_bytes = process_memory_bytes(),
                .turn = pool_turn_take,
                .observer = {.context = daemon,
                             .changed = on_pool_changed,
                             .listener_leaves = on_listener_leaves,
                             .open_listeners = on_open_listeners,
                             .done = on_pool_done},
                .log = {.context = daemon, .takes_sources = takes_log_sources, .add_source = add_log_source},
                .status = {.context = daemon,
                           .pair = status_links_pair,
                           .add = add_status_link,
                           .remove = remove_status_link},
        };
}
