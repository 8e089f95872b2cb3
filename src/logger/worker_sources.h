/* The workers' own records, as the log process reads them: each worker has a socket of its own.
 *
 * Owned by logger_main. What must stay true: a record is marked with the pool and the worker whose socket it came from,
 * whatever it says; a pool that sends too much has a budget, is not read for a while when it is spent, and delays
 * nobody else; and what was suppressed is told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "os/log/line.h"

struct log_order;
struct text;
struct worker_source;
struct source_pool;

/* Initialise with the epoll(7) descriptor only, to which sockets are added with their source as data. */
struct worker_sources {
        int epoll_fd;
        int max_priority;
        struct log_form form;
        struct worker_source *first;
        struct source_pool *pools;
};

/* Read the socket `fd`, which is owned from here on, for the worker that the order names. Where memory or descriptors
 * are short, it is closed, and the worker writes to the pipe of its stderr instead. */
void worker_sources_add(struct worker_sources *sources, const struct log_order *order, int fd);

/* Append the lines of what a source has sent, at most some; it may be gone afterwards. */
void worker_source_read(struct worker_sources *sources, struct worker_source *source, struct text *lines);

/* Append what is to be told now, and read again the pools that were not read for a while. */
void worker_sources_look(struct worker_sources *sources, uint64_t now_ms, struct text *lines);

/* How long epoll_wait(2) may wait until the next look; -1: without end. */
int worker_sources_patience_ms(const struct worker_sources *sources, uint64_t now_ms);

/* Append what all have sent, and close them. Their workers notice. */
void worker_sources_end(struct worker_sources *sources, struct text *lines);
