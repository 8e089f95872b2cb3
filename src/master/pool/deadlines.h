/* Carries out what logic/policy/deadline has decided: passes orders to workers, logs missed deadlines, and publishes
 * the flag by which workers wake the master when a request begins (notify_busy). Called in a pool's turn. */
#pragma once

#include <stdint.h>

#include "logic/policy/orders.h"

struct pool;
struct worker;
struct worker_request;
struct worker_row;

/* Feed the event to the worker's life, carry out the action, and count it. An order to the worker names the request of
 * its row. */
void deadlines_feed(struct worker *worker, enum worker_event event, const struct worker_row *row, uint64_t now_ms);

/* Order the worker to interrupt this request besides, and count it. */
void deadlines_interrupt(struct worker *worker, const struct worker_request *request);

/* Log what the order is about to do to the worker. */
void deadlines_tell(const struct worker *worker, const struct order *order);

/* Kill a worker whose start takes too long, and log and count it. One that has become ready since the snapshot serves,
 * and may have a connection already: it is left alone. */
void deadlines_give_up(struct worker *worker, const struct order *order, uint64_t now_ms);

/* Log and count a request that takes long: the processes that serve it, as the kernel shows them. Its number is that of
 * the row. */
void deadlines_tell_slow(struct worker *worker, const struct order *order, const struct worker_row *row);

/* Before the snapshot: clear notify_busy. */
void deadlines_hush(struct pool *pool);

/* After the turn: set notify_busy if the turn wants it. Touches the pool if a request has begun since the snapshot. */
void deadlines_publish(struct pool *pool);
