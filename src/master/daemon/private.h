/* struct daemon: everything that the master owns. Only this room knows it; other rooms are handed what they need.
 *
 * startup.c creates the members, in order of dependency. Each member is changed only by its own module. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/config/config.h"
#include "logic/policy/budget.h"
#include "master/control/control_commands.h"
#include "master/control/status_links.h"
#include "master/daemon/setup.h"
#include "master/log/log_process.h"
#include "master/pool/pool_runtime.h"
#include "master/pool/pool_table.h"
#include "master/pool/pressure_gauge.h"
#include "master/pool/worker_output.h"
#include "master/reload/fd_budget.h"
#include "master/reload/log_change.h"
#include "master/reload/pool_changes.h"
#include "master/reload/reload.h"
#include "master/state/state_part.h"

struct evloop;
struct evloop_watch;
struct evloop_timer;
struct control;
struct reaper;
struct fd_store;
struct manager_link;
struct readiness;
struct reload_queue;
struct upgrade;

enum daemon_state {
        DAEMON_STARTING, /* the first configuration is being read */
        DAEMON_RUNNING,
        DAEMON_DRAINING, /* about to stop: drain_delay runs, and all pools serve on */
        DAEMON_STOPPING, /* all pools close: waiting for requests in flight */
        DAEMON_KILLING,  /* shutdown_timeout has passed, or an immediate stop was ordered */
};

struct daemon {
        struct daemon_setup *setup;
        enum daemon_state state;
        int exit_code;
        pid_t pid;
        bool had_terminal; /* the session had a terminal at the start */
        uint64_t started_ms, started_wall_ms;
        struct config *config;            /* the running configuration; NULL before the first */
        uint64_t config_serial;           /* the number of configurations applied by this program */
        struct pool_table pools;          /* running and closing pools */
        struct pool_runtime pool_runtime; /* what pools need from the daemon */
        struct template_traffic template_traffic;
        struct budget budget; /* of workers, for all pools */
        struct pressure_gauge pressure;
        struct evloop *loop;
        int signal_fd;
        struct evloop_watch *signal_watch;
        struct evloop_timer *stop_timer;
        struct log_sink_state *log_sink;
        struct log_process_setup log_setup; /* of log processes */
        struct log_process *log_process;    /* NULL: records do not go to a file */
        bool log_is_ending;                 /* log_host_end() waits */
        struct reaper *reaper;
        struct manager_link *manager; /* the service manager, if there is one */
        struct readiness *readiness;
        struct fd_store *fd_store;
        struct status_links status_links; /* the workers of status pools, which ask */
        struct worker_outputs outputs;    /* the log pipes of the workers */
        struct reload reload;
        struct fd_budget fd_budget;
        struct log_change log_change;
        struct pool_changes pool_changes;
        struct reload_queue *reloads;
        struct control_host control_host; /* operations for the control commands */
        struct control *control;
        struct upgrade *upgrade;
        struct state_parts state_parts; /* what an upgrade hands over */
        char upgraded_from[64];         /* the version before the upgrade; "" without one */
        bool config_refused;            /* the configuration that was read last */
        uint64_t configured_wall_ms;    /* when one was accepted last */
        uint64_t upgrades;              /* how often another program has taken over */
};
