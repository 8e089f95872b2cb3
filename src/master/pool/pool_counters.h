/* The counters of a pool: what the master counts, and the sums over workers that have ended. It alone writes
 * pool->counters. */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

#include "logic/status/counters.h"

struct pool;
struct prefork_slot;

/* Increment a counter. */
void pool_counters_note(struct pool *pool, enum counter_id id);

/* A worker has ended: add the counters of its slot and its resource usage to the pool's. */
void pool_counters_inherit(struct pool *pool, const struct prefork_slot *slot, const struct rusage *usage);

/* Add a sample for the request rate: `requests` have ended by now. */
void pool_counters_note_rate(struct pool *pool, uint64_t now_ms, uint64_t requests);
