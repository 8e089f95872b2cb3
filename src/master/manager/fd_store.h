/* Listeners that outlive the master because the service manager keeps them: sockets of socket units (`systemd:NAME`),
 * and our own in its descriptor store (FileDescriptorStoreMax= of systemd.service(5)).
 *
 * Owned by struct daemon. Stored listeners are passed again at the next start, after a restart or after the master was
 * killed: clients that connect in between wait in the queue. What must stay true: every descriptor passed at the start
 * is taken over by the first configuration, reported as an error, or closed; and a listener that drains for good is no
 * longer in the store. */
#pragma once

#include "base/problem.h"
#include "logic/config/config.h"
#include "master/state/state_part.h"
#include "os/net/listener.h"

struct fd_store;
struct manager_link;

/* Receive the passed descriptors (LISTEN_FDS) and the capacity of the store (FDSTORE). `manager` is borrowed. 0 or
 * -ENOMEM. */
int fd_store_new(struct manager_link *manager, struct fd_store **ret);

/* Take the listener for `address` that the manager passed, with the pool's `options` set; the caller owns it. 1: *ret
 * is set; 0: none was passed, open one; -errno, with a problem added that names the line. */
int fd_store_open(struct fd_store *store, const struct pool_config *pool, const struct listen_address *address,
                  const struct listener_options *options, struct listener *ret, struct problem_list *problems);

/* Check what fd_store_open() would do with a socket of a socket unit, without an effect. 1: the socket is usable; 0:
 * the address is of another kind; -errno, with a problem added. */
int fd_store_try(const struct fd_store *store, const struct pool_config *pool, const struct listen_address *address,
                 struct problem_list *problems);

/* Report sockets of socket units that no pool of `config` listens on: clients could connect there and would wait for
 * ever. It is an error at the start and a warning later, when the socket stays available by its name. */
void fd_store_check_unused(const struct fd_store *store, const struct config *config, bool is_start,
                           struct problem_list *problems);

/* The listener of `address` (as written in the configuration) is in service: store it, unless it is stored already or
 * belongs to a socket unit. */
void fd_store_store(struct fd_store *store, const char *address, struct listener *listener);

/* The listener is about to drain for good: remove it from the store. */
void fd_store_release(struct fd_store *store, const char *address, struct listener *listener);

/* The first configuration is in effect: close the stored listeners that it does not mention. */
void fd_store_settle(struct fd_store *store);

/* The part of a hand-over: the passed sockets and the use of the store. The owner is a struct fd_store. */
extern const struct state_part fd_store_part;

void fd_store_free(struct fd_store *store); /* closes what was not taken over; NULL is fine */
