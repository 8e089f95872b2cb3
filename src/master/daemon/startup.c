#include "master/daemon/startup.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/secret.h"
#include "logic/config/config_options.h"
#include "master/control/control_socket.h"
#include "master/daemon/control_host.h"
#include "master/daemon/log_host.h"
#include "master/daemon/pool_host.h"
#include "master/daemon/private.h"
#include "master/daemon/readiness_host.h"
#include "master/daemon/reload_host.h"
#include "master/daemon/shutdown.h"
#include "master/daemon/signal_dispatch.h"
#include "master/daemon/upgrade_host.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/manager/fd_store.h"
#include "master/manager/manager_link.h"
#include "master/manager/readiness.h"
#include "master/reload/reload_queue.h"
#include "master/upgrade/upgrade.h"
#include "os/clock.h"
#include "os/terminal.h"

int startup_open(struct daemon *daemon, struct daemon_setup *setup)
{
        json_set_alloc_funcs(malloc, wiped_free); /* documents may contain secrets */
        *daemon = (struct daemon){.setup = setup,
                                  .signal_fd = -1,
                                  .pid = getpid(),
                                  .had_terminal = terminal_is_there(),
                                  .started_ms = clock_now_ms(),
                                  .started_wall_ms = clock_wall_ms()};
        int r = log_sink_open(LOG_DESTINATION_AUTO, NULL, &daemon->log_sink);
        if (r < 0)
                return r;
        const struct log_sink sink = log_sink_get(daemon->log_sink);
        if (!setup->take_over.is_preflight) /* a preflight reports to the running master instead */
                log_set_sink(&sink, LOG_INFO);
        r = evloop_new(&daemon->loop);
        if (r == 0)
                r = reaper_new(daemon->loop, &daemon->reaper);
        if (r == 0)
                log_host_open(daemon);
        if (r == 0)
                pool_host_open(daemon);
        if (r == 0)
                r = manager_link_new(daemon->loop, &daemon->manager);
        if (r == 0)
                r = fd_store_new(daemon->manager, &daemon->fd_store);
        if (r == 0)
                r = readiness_host_open(daemon);
        if (r == 0)
                r = signal_dispatch_open(daemon);
        if (r == 0)
                r = shutdown_open(daemon);
        if (r == 0)
                r = control_host_open(daemon);
        if (r == 0)
                r = reload_host_open(daemon);
        if (r == 0)
                r = upgrade_host_open(daemon);
        return r;
}

void startup_close(struct daemon *daemon)
{
        control_free(daemon->control);
        status_links_close(&daemon->status_links);
        upgrade_free(daemon->upgrade);
        reload_queue_free(daemon->reloads);
        worker_output_finish_all(&daemon->outputs);
        if (daemon->config) {
                config_clear(daemon->config);
                free(daemon->config);
        }
        pool_table_clear(&daemon->pools);
        readiness_free(daemon->readiness);
        fd_store_free(daemon->fd_store);
        manager_link_free(daemon->manager);
        evloop_timer_free(daemon->stop_timer);
        evloop_watch_free(daemon->signal_watch);
        fd_closep(&daemon->signal_fd);
        log_process_free_all(&daemon->log_setup);
        reaper_free(daemon->reaper);
        evloop_free(daemon->loop);
        log_set_sink(NULL, LOG_INFO);
        log_sink_close(daemon->log_sink);
}
