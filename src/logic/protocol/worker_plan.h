/* The worker plan: everything a new worker is told. Data only.
 *
 * The master fills one in and forks; the child finds it in its copy of the memory. It lives here because master/ and
 * worker/ do not know each other. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/config/config.h"
#include "prefork/scoreboard.h"

struct signals_taken;
struct resource_limits;

enum worker_role {
        WORKER_ROLE_SERVE,
        WORKER_ROLE_REFUSE,   /* closes connections unserved while no worker is idle (when_full = refuse) */
        WORKER_ROLE_TEMPLATE, /* executes the handler, of which workers are made; it has no slot, and listeners only if
                               * the handler accepts itself */
};

struct worker_plan {
        enum worker_role role;
        const struct pool_config *pool;
        const int *board_fds; /* memfds of the pool's scoreboards: the first is that in which the worker reports, the
                               * only one it maps; the refuser also looks at the others */
        size_t board_count;
        uint32_t slot;  /* WORKER_ROLE_REFUSE has none */
        uint32_t slots; /* from `slot` on, one for each thread that serves; 1: the worker has no threads */
        const int *listeners;
        size_t listener_count;
        int wake_fd;       /* the writing end of the pool's pipe to the master */
        int log_write_fd;  /* that of the worker's: the handlers' stderr, and its own words where log_socket_fd is -1 */
        int log_socket_fd; /* a socket to the log process; -1: there is none */
        int status_fd;     /* of a status pool: a socket to the master (logic/protocol/status_link); else -1 */
        int template_fd;   /* WORKER_ROLE_TEMPLATE: its socket to the master (lib/template_words); else -1 */
        int family;        /* WORKER_ROLE_TEMPLATE: the address family of the connections */
        pid_t master_pid;
        uint64_t orphan_timeout_ms;             /* how long a request may go on after the master's death */
        const struct signals_taken *signals;    /* what to put back */
        const struct resource_limits *original; /* the limits preforkd was started with */
};

/* The stage for people: "root_directory", "user", "handler" …; a number outside the enum gives "unknown stage". */
const char *worker_stage_name(uint32_t stage);
