/* A set of listeners, found by name (the canonical text of the address). A pool has two: those it serves and those that
 * drain. Order is kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problem.h"
#include "logic/config/config.h"
#include "os/net/listener.h"

struct evloop;
struct evloop_watch;

struct pool_listener {
        char *name;
        struct listener listener;
        struct evloop_watch *watch; /* set while the master itself waits for connections; NULL: never did */
        uint64_t since_generation;  /* the first generation of workers that has it */
        uint64_t drain_generation;  /* closing: the last one that has it */
        uint64_t closing_since_ms;
        uint64_t drained_since_ms; /* closing: nobody has waited since then */
        uint64_t drained_at;       /* closing: when the pool has accepted so many, nobody waits of those that did */
};

struct listener_set {
        struct pool_listener *items;
        size_t count;
};

/* Open the listener of `address` as the pool wants it and add it. On failure adds a problem that names the line. 0 or
 * -errno. */
int listener_set_open(struct listener_set *set, const struct pool_config *pool, const struct listen_address *address,
                      struct problem_list *problems);

/* Would that do? Nothing is opened: see listener_try(). 0 or -errno, with a problem. */
int listener_set_try(const struct pool_config *pool, const struct listen_address *address,
                     struct problem_list *problems);

/* Add a listener that was opened elsewhere, under that name; it belongs to the set then. 0 or -ENOMEM. */
int listener_set_add(struct listener_set *set, const char *name, const struct listener *listener);

/* The options a pool's configuration gives its listeners. */
struct listener_options listener_set_options(const struct pool_config *pool);

/* The one of that name, or NULL. */
struct pool_listener *listener_set_find(const struct listener_set *set, const char *name);

/* Move one from a set to another; `item` is no longer valid. Memory must have been made room for by
 * listener_set_reserve(), so that this cannot fail. Returns it at its new place. */
struct pool_listener *listener_set_move(struct listener_set *from, struct pool_listener *item, struct listener_set *to);
int listener_set_reserve(struct listener_set *set, size_t more);

/* The queue of one; where its length cannot be had, one if anything waits, and *ret_exact is false. */
uint32_t listener_set_queue_of(const struct pool_listener *item, bool *ret_exact);

/* Sum of the queues; a queue that cannot be measured counts as one connection if any waits. */
unsigned listener_set_queued(const struct listener_set *set);

/* Close (and unlink) one or all; frees their watches. */
void listener_set_close_one(struct listener_set *set, struct pool_listener *item);
void listener_set_close(struct listener_set *set);
