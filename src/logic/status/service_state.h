/* What a service manager is told about all pools together: whether the daemon is ready, and one line of status. Pure.
 *
 * Called by master/service, which counts. Rests on what the master knows without being woken for it: how many requests
 * are being served is not among it, because an idle or steadily busy pool must not wake anybody. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text;

struct service_pool {
        const char *name;
        unsigned workers;  /* that count against max_workers, starting ones included */
        unsigned starting; /* of workers */
        unsigned able;     /* processes that could become ready: they serve, wait or finish a request */
        unsigned failures; /* failed starts in a row since the last success */
        bool backing_off;  /* no worker may be started for a while, because of them */
        bool started;      /* it has made its first decision about workers */
        bool saturated;
        bool closing;          /* removed or stopping */
        bool is_deaf;          /* no client can reach it */
        const char *waits_for; /* an address that cannot be opened; NULL: there is none */
};

enum service_readiness {
        SERVICE_STARTING, /* some pool has not come to anything yet */
        SERVICE_READY,    /* every pool serves, watches its listeners, waits for its addresses or fails to start
                           * workers, and not all that have a listener fail */
        SERVICE_UNABLE,   /* every pool that has a listener fails: nobody would be served */
};

enum service_readiness service_readiness_of(const struct service_pool *pools, size_t count);

/* Append "2 pools, 12 workers; git saturated; mail backing off after 3 failed starts; www waiting for 192.0.2.1:80":
 * the sums, then the pools of which there is something to say, some of them if there are many. 0 or -ENOMEM. */
int service_status_format(const struct service_pool *pools, size_t count, struct text *text);

/* Append what a manager can show of `string`: one line, control characters and what is no UTF-8 as "?", cut to `most`
 * bytes (between characters). 0 or -ENOMEM. */
int service_append_line(struct text *text, const char *string, size_t most);
