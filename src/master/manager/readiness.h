/* Readiness: tells the service manager the state of the daemon (sd_notify(3)), for Type=notify and notify-reload.
 *
 * Owned by struct daemon. Without a manager every call does nothing. It reports the present state of the pools rather
 * than events, in a turn of its own, when changes have settled. What must stay true: it wakes only after a change, at
 * most once a second, and during a stop. */
#pragma once

#include <stddef.h>

#include "base/problem.h"
#include "master/state/state_part.h"

struct evloop;
struct manager_link;
struct reaper;
struct readiness;
struct service_pool;

/* What it needs from the daemon. */
struct readiness_host {
        void *context;
        /* The pools as they are now; the caller frees the array. The names are borrowed until the next turn of the
         * loop. NULL: out of memory. */
        struct service_pool *(*describe_pools)(void *context, size_t *ret_count);
        /* No pool can serve: the start has failed. `why` is the reason, which the manager was sent already. */
        void (*fail)(void *context, const char *why);
};

/* `loop`, `reaper` and `manager` are borrowed. Starts the watchdog's pings if the manager wants them. 0 or -errno. */
int readiness_new(const struct readiness_host *host, struct evloop *loop, struct reaper *reaper,
                  struct manager_link *manager, struct readiness **ret);

/* The first configuration is in effect. From now on the pools are watched: READY=1 is sent when each pool serves,
 * watches its listeners or backs off; if all of them back off, host.fail() is called. */
void readiness_begin(struct readiness *readiness);

/* A pool may have changed. Cheap. */
void readiness_touch(struct readiness *readiness);

/* A reload begins: send RELOADING=1. A reload has ended: send READY=1, with the result in STATUS until the next reload.
 * `problems` if it was refused, NULL if it was applied. */
void readiness_reloading(struct readiness *readiness);
void readiness_reloaded(struct readiness *readiness, const struct problem_list *problems);

/* This program has taken over from version `from`: STATUS says so until the next reload. */
void readiness_upgraded(struct readiness *readiness, const char *from);

/* The stop begins: send STOPPING=1, and ask the manager for more time until the daemon ends. */
void readiness_stopping(struct readiness *readiness);

/* The start has failed: send ERRNO=`error`, and as STATUS the first error of `problems`, or `why`. */
void readiness_failed(struct readiness *readiness, int error, const struct problem_list *problems, const char *why);

/* There is nothing to serve, and the daemon ends at once with an exit code of its own. Send READY=1 and STATUS=`why`:
 * systemd takes an end before READY=1 as a failure, whatever SuccessExitStatus= says. */
void readiness_nothing(struct readiness *readiness, const char *why);

/* The part of a hand-over: what was sent. The owner is a struct readiness. */
extern const struct state_part readiness_part;

void readiness_free(struct readiness *readiness); /* NULL is fine */
