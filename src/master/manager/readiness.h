/* preforkd as a service: what the service manager is told of it (sd_notify(3)), for Type=notify and notify-reload.
 *
 * Owned by struct master. Without a manager every call does nothing. What is said is read off the levels (the pools as they
 * are), at a turn of its own, after whatever happened has settled. Tickless: it wakes only when something has changed, at
 * most once a second, and while it stops. */
#pragma once

#include "base/problem.h"
#include "master/state/state_file.h"

struct master;
struct notify_queue;
struct service;

/* `manager` is borrowed; it gets the watchdog's pings from now on, if it wants them. 0 or -errno. */
int service_new(struct master *master, struct notify_queue *manager, struct service **ret);

/* The first configuration is in force. From here on the pools are watched: READY=1 follows when each of them serves,
 * watches its listeners or is backing off; if all of them back off, the master is stopped with MASTER_EXIT_FAILURE. */
void service_begin(struct service *service);

/* A pool has changed, or may have. Cheap. */
void service_touch(struct service *service);

/* A reload begins (RELOADING=1). It has ended, by `problems` if it was refused, NULL if it was not: READY=1, with the
 * result in STATUS, which stays there until the next one. */
void service_reloading(struct service *service);
void service_reloaded(struct service *service, const struct problem_list *problems);

/* This program has taken over from one of version `from`: in STATUS until the next reload. */
void service_upgraded(struct service *service, const char *from);

/* The stop begins (STOPPING=1); the manager's patience is extended until we have gone. */
void service_stopping(struct service *service);

/* The start has failed: ERRNO=, and why in STATUS: the first of `problems` that is an error, or `why`. */
void service_failed(struct service *service, int error, const struct problem_list *problems, const char *why);

/* What has been said: for a hand-over. A new reference or NULL; 0, -EPROTO, -ENOMEM. */
json_t *service_write(const struct service *service);
int service_read(struct service *service, struct document *document, const json_t *object);

void service_free(struct service *service); /* NULL is fine */
