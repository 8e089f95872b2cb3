/* The ring of decisions: the last 100 things the master decided about a pool, with the numbers it saw. Pure.
 *
 * Every fork and every retirement is recorded here and logged; the status report and, later, `preforkctl why` read it.
 * One a pool, owned by master/ (some 17 KB: never on the stack); zero-initialise. What must stay true: what is read
 * back is whole and NUL-terminated, newest first, and recording never fails. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DECISION_RING_SIZE 100

struct decision {
        uint64_t time_ms; /* monotonic */
        char text[160];   /* "+6 workers (spare 0 < 2, 4 queued)" */
};

struct decision_ring {
        struct decision items[DECISION_RING_SIZE];
        uint64_t count; /* ever recorded */
};

/* Record one decision; the oldest goes when the ring is full. The text is cut, never refused. */
void decision_ring_add(struct decision_ring *ring, uint64_t now_ms, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* How many can be read, and the one that is `age` decisions old (0: the newest); NULL past the end. */
size_t decision_ring_length(const struct decision_ring *ring);
const struct decision *decision_ring_at(const struct decision_ring *ring, size_t age);
