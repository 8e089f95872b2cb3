/* The ring of decisions: the last 100 things the master decided about a pool, with the numbers it saw, and the last 30
 * about its templates. Pure.
 *
 * Every fork and every retirement is recorded here and logged; the status report and `preforkctl why` read it. One a
 * pool, owned by master/ (some 28 KB: never on the stack); zero-initialise. What must stay true: what is read back is
 * whole and NUL-terminated, newest first, and recording never fails. Templates have places of their own, because one
 * that is renewed each second would leave nothing else within a minute. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECISION_RING_SIZE 100
#define DECISION_RING_TEMPLATES 30
#define DECISION_TEXT_SIZE 192

struct decision {
        uint64_t time_ms; /* monotonic */
        uint64_t number;  /* of all that were ever recorded */
        bool of_template;
        char text[DECISION_TEXT_SIZE]; /* "+6 workers (spare 0 < 2, 4 queued)" */
};

struct decision_ring {
        struct decision items[DECISION_RING_SIZE];
        struct decision of_templates[DECISION_RING_TEMPLATES];
        uint64_t count, template_count; /* ever recorded in each */
};

/* Record one decision; the oldest of its kind goes when there is no place. The text is cut, never refused. */
void decision_ring_add(struct decision_ring *ring, uint64_t now_ms, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void decision_ring_add_template(struct decision_ring *ring, uint64_t now_ms, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* How many of both kinds can be read, and the one that is `age` decisions old (0: the newest); NULL past the end. */
size_t decision_ring_length(const struct decision_ring *ring);
const struct decision *decision_ring_at(const struct decision_ring *ring, size_t age);
