/* Deadlines that were missed: what logic/policy/deadline has decided about them, told to workers and to people, and the
 * word by which workers wake the master when a request begins. */
#pragma once

#include <stdint.h>

#include "logic/policy/orders.h"

struct pool;
struct worker;

/* Feed the order's event to the worker's life, and count it. What the worker is told is about `request`. */
void deadlines_feed(struct worker *worker, enum worker_event event, uint64_t request, uint64_t now_ms);

/* Log what is about to happen to the worker. */
void deadlines_tell(const struct worker *worker, const struct order *order);

/* Before the snapshot: workers are silent. */
void deadlines_hush(struct pool *pool);

/* After it: let workers report requests that begin, if the turn wants that. Touches the pool if one has begun since. */
void deadlines_publish(struct pool *pool);
