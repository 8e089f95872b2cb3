/* What was observed of a pool, and what follows from it for all advice. Pure.
 *
 * Called by logic/status/sizing and its parts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/status/sizing_advice.h"
#include "logic/status/status.h"

/* From so much on, something can be said of a load. */
#define SIZING_REQUESTS 1000
#define SIZING_OBSERVED_MS 600000

/* A worker, as it is now. */
struct sizing_worker {
        uint64_t requests, private_bytes; /* 0: unknown */
        bool busy;
};

struct sizing_input {
        const struct status_pool *pool;
        const struct sizing_worker *workers; /* some of its workers */
        size_t worker_count;
        uint64_t memory_bytes; /* that all workers together may have; 0: not known */
        const char *memory_of; /* whose it is: "the machine" */
        unsigned cpus;         /* 0: not known */
};

/* What follows from the figures, once. */
struct sizing_facts {
        const struct sizing_input *input;
        const struct status_pool *pool;
        uint64_t requests, observed_ms;
        bool is_early;         /* too little of both */
        uint64_t busy_milli;   /* workers that were busy on average, in thousandths */
        uint64_t worker_bytes; /* memory of a worker that serves, with its handler; 0: not known */
        uint64_t measured;     /* of so many connections it is known how long they waited … */
        uint64_t late;         /* … and so many of them waited SIZING_LATE_MS or longer */
        bool was_full;         /* clients waited or were refused at max_workers */
};

/* A wait that somebody notices: the first bound of the buckets above the 10 ms of logic/policy/worth. */
#define SIZING_LATE_MS 16

struct sizing_facts sizing_facts_of(const struct sizing_input *input);

/* Say that it is too early; true if it is. */
bool sizing_is_early(const struct sizing_facts *facts, struct sizing *to);

/* Of the memory that there is, so many workers may be given three quarters; UINT64_MAX: nothing is known. */
uint64_t sizing_workers_in_memory(const struct sizing_facts *facts);
