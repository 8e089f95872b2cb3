/* struct daemon: everything the supervising process has. Known in this room alone; other rooms are handed what they
 * need.
 *
 * Made by startup, which also says in which order; each member is changed by whoever it belongs to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/config/config.h"
#include "master/control/control_commands.h"
#include "master/daemon/setup.h"
#include "master/pool/pool_runtime.h"
#include "master/pool/pool_table.h"
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
        DAEMON_STOPPING, /* its pools close: waiting for requests in flight */
        DAEMON_KILLING,  /* out of patience, or told to stop at once */
};

struct daemon {
        struct daemon_setup *setup;
        enum daemon_state state;
        int exit_code;
        pid_t pid;
        bool had_terminal; /* at the start */
        uint64_t started_ms;
        struct config *config;            /* the running one; NULL before the first */
        uint64_t config_serial;           /* how many there have been in this program */
        struct pool_table pools;          /* running and closing ones */
        struct pool_runtime pool_runtime; /* what they know of us */
        struct evloop *loop;
        int signal_fd;
        struct evloop_watch *signal_watch;
        struct evloop_timer *stop_timer;
        struct log_sink_state *log_sink;
        struct reaper *reaper;
        struct manager_link *manager; /* the service manager, if there is one */
        struct readiness *readiness;
        struct fd_store *fd_store;
        struct worker_outputs outputs; /* the pipes that are read for the log */
        struct reload reload;
        struct fd_budget fd_budget;
        struct log_change log_change;
        struct pool_changes pool_changes;
        struct reload_queue *reloads;
        struct control_host control_host; /* what its commands order */
        struct control *control;
        struct upgrade *upgrade;
        struct state_parts state_parts; /* what an upgrade hands over */
        char upgraded_from[64];         /* the version that handed over to this one; "" for a first one */
};
