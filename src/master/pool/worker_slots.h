/* What the slots of a worker say: each of them, and the worker as a whole as a row for the policies.
 *
 * A worker without threads has one. What must stay true: what they say is shown and counted, and never trusted as an
 * index, a pid or a pointer. Times are in ms of clock_now_ms(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "logic/policy/worker_rows.h"

struct tally;
struct worker;

/* What is believed of its slot number `thread` (< slots); valid until a worker is added. Written by tallies. */
struct tally *worker_tally(const struct worker *worker, uint32_t thread);

/* The requests that are believed of all its slots. */
uint64_t worker_requests(const struct worker *worker);

/* True if all its slots are in the idle set. */
bool worker_is_idle(const struct worker *worker);

/* How many of its slots have a request, as far as they say. */
unsigned worker_busy_slots(const struct worker *worker);

/* Read one slot: whether it has a request, whether it holds a connection that rate_limit does not let pass yet, and
 * since when it does what it does. */
bool worker_is_busy(const struct worker *worker, uint32_t thread);
bool worker_is_throttled(const struct worker *worker, uint32_t thread);
uint64_t worker_since_ms(const struct worker *worker, uint32_t thread, uint64_t now_ms);

/* How many requests its slots have begun. */
uint64_t worker_begun(const struct worker *worker);

/* The worker as a row for the policies, at this moment, without links; and only what worker_counts_add() looks at,
 * which of many workers is a third of the memory. */
struct worker_row worker_row_of(struct worker *worker, uint64_t now_ms);
struct worker_row worker_counted_row_of(struct worker *worker);
