/* A set of listeners, found by name (the canonical text of the address). A pool has three sets: the listeners that it
 * serves, those that drain, and the addresses for which it has none, whose descriptors are -1. The order is kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problem.h"
#include "logic/config/config.h"
#include "os/net/listener.h"
#include "os/net/listener_mark.h"

struct evloop;
struct evloop_watch;

struct pool_listener {
        char *name;
        struct listener listener;
        bool dead;                  /* it does not listen: not watched, and not given to workers */
        const char *unusual;        /* what was like that already when it had been opened, by the system; a literal */
        const char *damage;         /* what is not as it was opened, a literal; NULL: nothing that is known */
        bool hopeless;              /* it stays so until the service manager opens another */
        int error;                  /* of a missing address: why it could not be opened, an errno value */
        struct evloop_watch *watch; /* for the master to wait for connections itself; NULL: not needed so far */
        uint64_t since_generation;  /* the first generation of workers that has it */
        uint64_t drain_generation;  /* closing: the last generation that has it */
        uint64_t closing_since_ms;
        uint64_t waited_ms;      /* closing: when somebody was last seen waiting, or 0 */
        uint64_t emptied_ms;     /* closing: when nobody was first seen waiting, while the last may be served; or 0 */
        unsigned failed_helpers; /* closing: workers that were launched to serve it, and could not */
        uint64_t drained_at;     /* closing: when the pool has accepted so many connections, those that waited at
                                  * first have been served */
};

struct listener_set {
        struct pool_listener *items;
        size_t count;
};

/* Open the listener of `address` with the options of the pool and add it; `shares_port` is the option of
 * os/net/listener.h. On failure adds a problem that names the line. 0 or -errno. */
int listener_set_open(struct listener_set *set, const struct pool_config *pool, const struct listen_address *address,
                      bool shares_port, struct problem_list *problems);

/* Check what listener_set_open() would do, without opening anything: see listener_try(). 0 or -errno, with a
 * problem. */
int listener_set_try(const struct pool_config *pool, const struct listen_address *address, bool shares_port,
                     struct problem_list *problems);

/* Add a listener that was opened elsewhere; the set owns it then. 0 or -ENOMEM. */
int listener_set_add(struct listener_set *set, const char *name, const struct listener *listener);

/* Add an address without a listener, which could not be opened because of `error`; there must be room. The set owns
 * `name`. */
void listener_set_add_missing(struct listener_set *set, char *name, int error);

/* The listener options of a pool's configuration. */
struct listener_options listener_set_options(const struct pool_config *pool);

/* The listener of that name, or NULL. */
struct pool_listener *listener_set_find(const struct listener_set *set, const char *name);

/* Move a listener from one set to another; `item` is no longer valid. Room must have been made by
 * listener_set_reserve(), so that this cannot fail. Returns the listener at its new place. */
struct pool_listener *listener_set_move(struct listener_set *from, struct pool_listener *item, struct listener_set *to);
int listener_set_reserve(struct listener_set *set, size_t more);

/* How many of them listen, and the descriptors of those, at most `most`, in `ret_fds` unless that is NULL. */
size_t listener_set_list_live(const struct listener_set *set, int *ret_fds, size_t most);

/* The length of a listener's queue in connections. If it cannot be measured, *ret_exact is false and the result is 1 if
 * any connection waits, else 0. */
uint32_t listener_set_queue_of(const struct pool_listener *item, bool *ret_exact);

/* Sum of the queues; a queue that cannot be measured counts as one connection if any waits. */
unsigned listener_set_queued(const struct listener_set *set);

/* What waits at all of them. */
struct listener_mark listener_set_mark(const struct listener_set *set);

/* Why an address could not be opened, for people. */
const char *listener_set_error_text(int error);

/* The same for ENODEV and EPERM of bind_to_device. */
const char *listener_set_device_error(int error);

/* Close (and unlink) one listener or all; frees the watches. */
void listener_set_close_one(struct listener_set *set, struct pool_listener *item);
void listener_set_close(struct listener_set *set);
