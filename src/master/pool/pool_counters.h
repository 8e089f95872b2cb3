/* The counters of a pool: what the master counts, and the sums over workers and scoreboards that have gone. It alone
 * writes pool->counters. */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

#include "logic/status/counters.h"

struct pool;
struct tally_words;

/* Increment a counter. */
void pool_counters_note(struct pool *pool, enum counter_id id);

/* Add to a counter, as it is held. */
void pool_counters_add(struct pool *pool, enum counter_id id, uint64_t more);

/* How long the present, or last, reported episode of saturation has lasted at `now_ms`; 0: that is not known. */
uint64_t pool_counters_saturated_ms(const struct pool *pool, uint64_t now_ms);

/* A worker has ended: add what is believed of its counters, and its resource usage, to the pool's. */
void pool_counters_inherit(struct pool *pool, const struct tally_words *counted, const struct rusage *usage);

/* The same for what a scoreboard counted that is not used any more. */
void pool_counters_inherit_board(struct pool *pool, const struct tally_words *counted);

/* The same for a program that accepted itself: its own CPU time is that of the pool's handlers. */
void pool_counters_inherit_program(struct pool *pool, const struct rusage *usage);

/* Add a sample for the request rate: `requests` have ended by now. */
void pool_counters_note_rate(struct pool *pool, uint64_t now_ms, uint64_t requests);

/* The same for the average of busy workers: all in all they have been busy for so long by now. */
void pool_counters_note_load(struct pool *pool, uint64_t now_ms, uint64_t busy_ns);
