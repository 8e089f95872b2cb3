/* preforkd as a service: what the service manager is told of it (sd_notify(3)), for Type=notify and notify-reload.
 *
 * Owned by struct daemon. Without a manager every call does nothing. What is said is read off the levels (the pools as
 * they are), at a turn of its own, after whatever happened has settled. Tickless: it wakes only when something has
 * changed, at most once a second, and while it stops. */
#pragma once

#include <stddef.h>

#include "base/problem.h"
#include "master/state/state_part.h"

struct evloop;
struct manager_link;
struct reaper;
struct readiness;
struct service_pool;

/* What it needs of whom it speaks for. */
struct readiness_host {
        void *context;
        /* The pools as they are now, for the caller to free; their names are borrowed until the next turn of the loop.
         * NULL: out of memory. */
        struct service_pool *(*describe_pools)(void *context, size_t *ret_count);
        /* No pool can serve: the start has failed, for the reason `why`, which the manager has been told. */
        void (*fail)(void *context, const char *why);
};

/* `loop`, `reaper` and `manager` are borrowed; the manager gets the watchdog's pings from now on, if it wants them. 0
 * or -errno. */
int readiness_new(const struct readiness_host *host, struct evloop *loop, struct reaper *reaper,
                  struct manager_link *manager, struct readiness **ret);

/* The first configuration is in force. From here on the pools are watched: READY=1 follows when each of them serves,
 * watches its listeners or is backing off; if all of them back off, the host is told (fail). */
void readiness_begin(struct readiness *service);

/* A pool has changed, or may have. Cheap. */
void readiness_touch(struct readiness *service);

/* A reload begins (RELOADING=1). It has ended, by `problems` if it was refused, NULL if it was not: READY=1, with the
 * result in STATUS, which stays there until the next one. */
void readiness_reloading(struct readiness *service);
void readiness_reloaded(struct readiness *service, const struct problem_list *problems);

/* This program has taken over from one of version `from`: in STATUS until the next reload. */
void readiness_upgraded(struct readiness *service, const char *from);

/* The stop begins (STOPPING=1); the manager's patience is extended until we have gone. */
void readiness_stopping(struct readiness *service);

/* The start has failed: ERRNO=, and why in STATUS: the first of `problems` that is an error, or `why`. */
void readiness_failed(struct readiness *service, int error, const struct problem_list *problems, const char *why);

/* What has been said: for a hand-over; the owner is a struct readiness. */
extern const struct state_part readiness_part;

void readiness_free(struct readiness *service); /* NULL is fine */
