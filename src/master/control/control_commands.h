/* Carries out the commands of the control protocol. What they need from the daemon is a table of host operations that
 * is handed in; pools and their status are used directly. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problem.h"
#include "master/status/status_collect.h"

struct config;
struct control_client;
struct pool;
struct pool_table;

/* Filled in by daemon/control_host. `by` says for the log who ordered it: "control, user 0". */
struct control_host {
        void *context;
        const struct pool_table *pools;
        struct status_of_daemon (*describe)(void *context);
        const struct config *(*config)(void *context); /* the running configuration; NULL before the first */
        bool (*is_stopping)(void *context);
        /* The number of the last read of the configuration that was begun: a client that requests a reload now is
         * answered by a later one. */
        uint64_t (*last_load)(void *context);
        void (*reload)(void *context);
        void (*dry_run)(void *context);
        /* Open the log file anew. The number of the order: control_outcome answers the clients that wait for it or an
         * earlier one. 0: there is no file. */
        uint64_t (*reopen_logs)(void *context);
        /* See limit_orders_scale(). */
        int (*scale)(void *context, struct pool *pool, char *const *settings, size_t count, const char *by,
                     struct problem_list *problems);
        void (*stop)(void *context, bool now, const char *by);
        bool (*is_upgrading)(void *context);
        void (*upgrade)(void *context, const char *path, const char *by);
};

/* Parse the request of `length` bytes at client->request (ended by NUL), carry it out, and answer now, or later if it
 * is a reload, an upgrade or reopen-logs. `host` is a const struct control_host *: see struct control_dispatch. */
void control_execute(void *host, struct control_client *client, size_t length);
