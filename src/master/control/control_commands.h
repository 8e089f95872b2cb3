/* The commands of the control protocol, carried out. What they need of the whole daemon is a table of host operations
 * that is handed in; pools and their status they know themselves. */
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

/* `by` says who orders it, for logs: "control, user 0". */
struct control_host {
        void *context;
        const struct pool_table *pools;
        struct status_of_daemon (*describe)(void *context);
        const struct config *(*config)(void *context); /* the running one; NULL before the first */
        bool (*is_stopping)(void *context);
        /* The number of the last configuration that was begun to be read: who asks for a reload now is answered by a
         * later one. */
        uint64_t (*last_load)(void *context);
        void (*reload)(void *context);
        void (*dry_run)(void *context);
        /* See limit_orders_scale(). */
        int (*scale)(void *context, struct pool *pool, char *const *settings, size_t count, const char *by,
                     struct problem_list *problems);
        void (*stop)(void *context, bool now, const char *by);
        bool (*is_upgrading)(void *context);
        void (*upgrade)(void *context, const char *path, const char *by);
};

/* Parse the request of `length` bytes at client->request (ended by NUL), do what it says, and answer, now or when a
 * reload is done. `host` is a const struct control_host *: see struct control_dispatch. */
void control_execute(void *host, struct control_client *client, size_t length);
