/* The counters of a pool: what it counts itself, and what workers that are gone have left to it. */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

#include "logic/status/counters.h"

struct pool;
struct prefork_slot;

/* Once more. */
void pool_counters_note(struct pool *pool, enum counter_id id);

/* A worker has ended: what its slot says of its whole life goes over to the pool. */
void pool_counters_inherit(struct pool *pool, const struct prefork_slot *slot, const struct rusage *usage);

/* A sample for the rate: so many `requests` have ended by now. */
void pool_counters_note_rate(struct pool *pool, uint64_t now_ms, uint64_t requests);
