/* Looks at what workers count in their slots, whenever the master needs the numbers, and keeps what is believed of it
 * (logic/status/tally) with the worker until it ends. It alone writes the tallies of workers and boards. Who reports
 * what cannot be is logged, once for each scoreboard. */
#pragma once

#include <stdint.h>

#include "logic/status/counters.h"

struct board;
struct pool;
struct worker;

/* Look at all that the workers and boards of a pool count; at one worker; at what processes without a slot count. */
void tallies_look(struct pool *pool);
void tallies_look_at(struct worker *worker);
void tallies_look_at_board(const struct pool *pool, struct board *board);

/* The tallies of a worker have been read from a hand-over; its slots are given up, and its counters are the pool's. */
void tallies_adopt(struct worker *worker);
void tallies_forget(struct worker *worker);

/* Look, and return the number of requests that have ended, those of former workers included. It never decreases. */
uint64_t tallies_requests(struct pool *pool);

/* Look, and return the number of connections that workers have accepted: requests that have begun (except those in
 * which a worker was killed, after it has gone) and connections refused because their source had too many. */
uint64_t tallies_accepted(struct pool *pool);

/* Look, and return the number of connections that were refused because the pool was full. */
uint64_t tallies_refused_full(struct pool *pool);

/* All counters of the pool, as of the last look. */
struct counters tallies_totals(const struct pool *pool);

/* For how long workers have been busy, all in all, as of the last look: as counted, and with the requests that they
 * serve now. */
uint64_t tallies_busy_ns(const struct pool *pool, uint64_t now_ms);
