/* Listeners that outlive the master because the service manager keeps them: sockets of socket units (`systemd:NAME`), and
 * our own in its descriptor store (FileDescriptorStoreMax= of systemd.service(5)).
 *
 * Owned by struct master. Stored listeners come back when we are started again, after a restart or after the master was
 * killed: clients that connect in between wait in their queue. What must stay true: whatever is passed at the start is
 * taken over by the first configuration, or an error, or closed; and a listener that drains for good is not in the store
 * any more. */
#pragma once

#include "base/problem.h"
#include "logic/config/config.h"
#include "master/pool/listener_set.h"
#include "master/state/state_file.h"

struct keeper;
struct notify_queue;

/* Receive what was passed (LISTEN_FDS), and whether there is a store (FDSTORE). `manager` is borrowed. 0 or -ENOMEM. */
int keeper_new(struct notify_queue *manager, struct keeper **ret);

/* Add to `set` the listener for `address` that the manager has for us, and make it the pool's. 1: done; 0: it has none,
 * open one; -errno, with a problem added that names the line. */
int keeper_open(struct keeper *keeper, const struct pool_config *pool, const struct listen_address *address,
                struct listener_set *set, struct problem_list *problems);

/* What keeper_open() would do with a socket of a socket unit, and nothing changes. 1: there it is; 0: the address is of
 * another kind; -errno, with a problem added. */
int keeper_try(const struct keeper *keeper, const struct pool_config *pool, const struct listen_address *address,
               struct problem_list *problems);

/* Sockets of socket units that no pool of `config` listens on: clients could connect there and would wait for ever. An
 * error at the start, a warning later, when the socket stays available by its name. */
void keeper_check_unused(const struct keeper *keeper, const struct config *config, bool is_start,
                         struct problem_list *problems);

/* A listener is in service: have it stored, unless it is, or is not ours to keep. */
void keeper_store(struct keeper *keeper, struct set_listener *item);

/* A listener is about to drain for good: it is ours alone from now on. */
void keeper_release(struct keeper *keeper, struct set_listener *item);

/* The first configuration is in force: close the stored listeners that it does not mention. */
void keeper_settle(struct keeper *keeper);

/* What the manager has for us still, and what we have in its store: for a hand-over. A new reference or NULL; 0, -EPROTO,
 * -ENOMEM. */
json_t *keeper_write(const struct keeper *keeper, struct document *document);
int keeper_read(struct keeper *keeper, struct document *document, const json_t *object);

void keeper_free(struct keeper *keeper); /* closes what nobody took over; NULL is fine */
