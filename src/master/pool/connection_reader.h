/* connection_log: a record of the log for each connection that a worker tells of.
 *
 * Workers put records into the ring of the scoreboard in which they report (base/connection_ring). The master is woken
 * for the first of them; as long as there are more, it looks again after LOOK_MS, or when half of a ring is used. So
 * records are logged in batches while there are many, at once while there are few, and nothing ticks while there are
 * none. Nothing that a worker says is believed: it becomes text, and only where the pool logs such connections.
 *
 * Called by pool. What must stay true: what is in a ring is logged before the ring, the pool, or the configuration by
 * which it is logged goes; how often the master looks, and how many records it takes, is bounded. */
#pragma once

#include <stdint.h>

#include "logic/policy/rate_limit.h"

struct boards;
struct evloop;
struct evloop_timer;
struct pool_config;

/* Zero-initialise. */
struct connection_reader {
        const struct pool_config *const *config; /* the pool's in use */
        struct boards *boards;                   /* the pool's */
        struct evloop_timer *timer;              /* the next look */
        bool is_set;                             /* the timer is */
        uint64_t dropped;                        /* records that found no room, of which the log does not know yet */
        struct rate_limit told;                  /* how often it is told of them */
        struct rate_limit budget;                /* of looks and records */
};

/* `config` is where the pool has its configuration, which may change. 0 or -ENOMEM; connection_reader_close() in any
 * case, which logs nothing more. */
int connection_reader_open(struct connection_reader *reader, struct evloop *loop,
                           const struct pool_config *const *config, struct boards *boards);
void connection_reader_close(struct connection_reader *reader);

/* A worker has said that there are records: log them, or set the timer if there were too many of late. */
void connection_reader_look(struct connection_reader *reader);

/* In each turn, because a worker may die before it can say so. */
void connection_reader_turn(struct connection_reader *reader);

/* Log all that the rings have now: something is about to change, or the pool goes. */
void connection_reader_flush(struct connection_reader *reader);
