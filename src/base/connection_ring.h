/* The records of connections (base/connection_record) on their way from the workers of a pool to the master: a ring in
 * memory that they share. Pure; it calls nothing, so that it can be linked into the preload object.
 *
 * A record's place is its number: record n is in cell n % CONNECTION_RING_CELLS. A worker claims the cell of the next
 * number by compare-and-swap, moves the next number on (anybody does who finds the cell claimed), copies its record,
 * and says that it is whole. The master takes records out by their numbers, and passes over those that are not whole
 * yet; they are next when they are. So there is no lock, nobody waits, and records of one worker keep their order.
 *
 * A record costs no system call: a worker wakes the master when it is told to by connection_ring_put(): for the first
 * record after the master has looked and found none, and when half of the cells are used. All others wait until the
 * master's next look, for which it has a timer while there are some.
 *
 * What must stay true:
 *   - a worker may die at any instruction. What is whole is there for the master, whatever becomes of the worker. A
 *     cell that it has claimed and not filled holds the ring up, when all others are used, until the master skips it;
 *   - workers can write anything at any time. The master keeps the number that it is at to itself, copies a record out
 *     before it looks at it, and has looked at each cell once at most when connection_ring_take() returns. Whatever
 *     cannot be is made good by that, at the price of records of that pool;
 *   - what finds no room is dropped and counted here. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/connection_record.h"
#include "prefork/scoreboard.h"

/* What is written to the pool's pipe to wake the master for records; all other wake-ups are a NUL. */
#define CONNECTION_RING_WAKE 1

#define CONNECTION_RING_CELLS 1024U /* a power of two; a third of a megabyte, for some 10,000 records a second */

struct connection_ring {
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t taken; /* written by the master: the number that it is at */
        _Atomic uint32_t is_told; /* the master will look: set by workers, cleared by the master */

        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t next; /* the number of the next record */
        _Atomic uint32_t dropped;

        /* Of each cell: the round of its number (number / CELLS) above, what is in it below; 0 at the beginning. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint64_t states[CONNECTION_RING_CELLS];
        struct connection_record records[CONNECTION_RING_CELLS];
};

/* A worker's side: put a record into it, whose `worker` is the pid of the caller. True: wake the master.
 * Async-signal-safe. */
bool connection_ring_put(struct connection_ring *ring, const struct connection_record *record);

/* The master's side. `at` is where it is; 0 at the beginning. Take out at most `most` records. Returns how many; fewer
 * than `most`: there are no more. */
size_t connection_ring_take(struct connection_ring *ring, uint32_t *at, struct connection_record *ret, size_t most);

/* From now on the first record wakes the master; call this before the look that may find none. Or none does, because it
 * will look. And which of both it is. */
void connection_ring_listen(struct connection_ring *ring);
void connection_ring_expect(struct connection_ring *ring);
bool connection_ring_is_told(const struct connection_ring *ring);

/* How many records were dropped since the last call. */
uint32_t connection_ring_take_dropped(struct connection_ring *ring);

/* Is there a record that is claimed and not whole? Then the ring begins with it. */
bool connection_ring_is_held(struct connection_ring *ring, uint32_t at);

/* Give the record up that is held, and count it as dropped: its worker has gone or does not go on. */
void connection_ring_skip(struct connection_ring *ring, uint32_t *at);
