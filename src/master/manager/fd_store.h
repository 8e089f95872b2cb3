/* Listeners that outlive the master because the service manager keeps them: sockets of socket units (`systemd:NAME`),
 * and our own in its descriptor store (FileDescriptorStoreMax= of systemd.service(5)).
 *
 * Owned by struct daemon. Stored listeners come back when we are started again, after a restart or after the master was
 * killed: clients that connect in between wait in their queue. What must stay true: whatever is passed at the start is
 * taken over by the first configuration, or an error, or closed; and a listener that drains for good is not in the
 * store any more. */
#pragma once

#include "base/problem.h"
#include "logic/config/config.h"
#include "master/state/state_part.h"
#include "os/net/listener.h"

struct fd_store;
struct manager_link;

/* Receive what was passed (LISTEN_FDS), and whether there is a store (FDSTORE). `manager` is borrowed. 0 or -ENOMEM. */
int fd_store_new(struct manager_link *manager, struct fd_store **ret);

/* The listener for `address` that the manager has for us, with the pool's `options` set; it belongs to the caller then.
 * 1: there it is; 0: it has none, open one; -errno, with a problem added that names the line. */
int fd_store_open(struct fd_store *keeper, const struct pool_config *pool, const struct listen_address *address,
                  const struct listener_options *options, struct listener *ret, struct problem_list *problems);

/* What fd_store_open() would do with a socket of a socket unit, and nothing changes. 1: there it is; 0: the address is
 * of another kind; -errno, with a problem added. */
int fd_store_try(const struct fd_store *keeper, const struct pool_config *pool, const struct listen_address *address,
                 struct problem_list *problems);

/* Sockets of socket units that no pool of `config` listens on: clients could connect there and would wait for ever. An
 * error at the start, a warning later, when the socket stays available by its name. */
void fd_store_check_unused(const struct fd_store *keeper, const struct config *config, bool is_start,
                           struct problem_list *problems);

/* The listener of `address` (as the configuration writes it) is in service: have it stored, unless it is, or is not
 * ours to keep. */
void fd_store_store(struct fd_store *keeper, const char *address, struct listener *listener);

/* It is about to drain for good: it is ours alone from now on. */
void fd_store_release(struct fd_store *keeper, const char *address, struct listener *listener);

/* The first configuration is in force: close the stored listeners that it does not mention. */
void fd_store_settle(struct fd_store *keeper);

/* What the manager has for us still, and what we have in its store: for a hand-over; the owner is a struct fd_store. */
extern const struct state_part fd_store_part;

void fd_store_free(struct fd_store *keeper); /* closes what nobody took over; NULL is fine */
