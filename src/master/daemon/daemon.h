/* The master: the one supervising process. Owns everything; passed down to all of master/.
 *
 * It never touches traffic and never waits: every wait is an event or a timer of its loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/config/config.h"
#include "logic/protocol/worker_plan.h"
#include "master/config/config_reader.h"
#include "master/pool/pool_runtime.h"
#include "master/pool/pool_table.h"
#include "master/pool/worker_output.h"
#include "master/state/state_part.h"
#include "master/upgrade/handover.h"
#include "os/log/sink.h"
#include "os/process/resource.h"
#include "os/process/signals.h"

struct evloop;
struct evloop_watch;
struct evloop_timer;
struct control;
struct pool;
struct reaper;
struct fd_store;
struct manager_link;
struct readiness;
struct reload_queue;
struct upgrade;

/* What bin/ hands over. */
struct daemon_setup {
        struct config_source source;
        const char *program;    /* the absolute path of this program */
        char *const *arguments; /* those it was started with, without its name */
        struct take_over take_over;
        int (*worker_entry)(const struct worker_plan *plan); /* run in the child; its result is the exit code */
        struct signals_taken signals;
        struct resource_limits original_limits; /* before anything was raised */
};

enum daemon_state {
        DAEMON_STARTING, /* the first configuration is being read */
        DAEMON_RUNNING,
        DAEMON_STOPPING, /* draining and waiting for requests in flight */
        DAEMON_KILLING,  /* out of patience, or told to stop at once */
};

struct daemon {
        struct daemon_setup *setup;
        enum daemon_state state;
        int exit_code;
        pid_t pid;
        bool had_terminal;     /* at the start */
        uint64_t started_ms;
        struct config *config; /* the running one; NULL before the first */
        uint64_t config_serial; /* how many there have been in this program */
        struct pool_table pools; /* running and closing ones */
        struct pool_runtime pool_runtime; /* what they know of us */
        struct evloop *loop;
        int signal_fd;
        struct evloop_watch *signal_watch;
        struct evloop_timer *stop_timer;
        struct log_sink_state *log_sink;
        struct reaper *reaper;
        struct manager_link *manager; /* the service manager, if there is one */
        struct readiness *service;
        struct fd_store *keeper;
        struct worker_outputs outputs; /* the pipes that are read for the log */
        struct reload_queue *reloads;
        struct control *control;
        struct upgrade *upgrade;
        struct state_parts state_parts; /* what an upgrade hands over */
        char upgraded_from[64];  /* the version that handed over to this one; "" for a first one */
};

/* Exit codes of the daemon. */
enum { MASTER_EXIT_OK = 0, MASTER_EXIT_FAILURE = 1, MASTER_EXIT_USAGE = 2, MASTER_EXIT_NOTHING = 3,
       MASTER_EXIT_CONFIG = 78 };

/* Run the daemon to its end; returns its exit code. What a former program has handed over changes *setup. All signals of master_signals must be taken (blocked). */
int daemon_run(struct daemon_setup *setup);

/* The signals the master reads; bin/ takes them as its first act. */
extern const int master_signals[];
extern const size_t master_signal_count;

/* Drain every pool, let requests in flight end for shutdown_timeout, then end them; exit with `exit_code`. */
void daemon_stop(struct daemon *daemon, int exit_code, const char *why);

/* End everything now. */
void daemon_stop_now(struct daemon *daemon, const char *why);
