/* A pool's turn: the facts of one moment, the orders that the policies make of them, and what is to be published. Pure.
 *
 * master/ takes the snapshot (rows, closing listeners, numbers), asks logic/policy/policies, and carries the outcome
 * out. A policy reads the facts and gives orders through the functions below, which change the rows as well. It looks
 * at levels and never at events, so that nothing is lost when events coincide, and it says when it wants to be asked
 * again. What must stay true: asked again and again with what their orders lead to, the policies soon have nothing to
 * add, so that no master spins. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/config/config.h"
#include "logic/policy/orders.h"
#include "logic/policy/scale.h"
#include "logic/policy/worker_rows.h"

#define TURN_NEVER_MS UINT64_MAX

/* Launches in one turn: some 5 ms of work, so that signals and other pools are not kept waiting. */
#define TURN_LAUNCHES 32

/* A listener that closes. */
struct closing_row {
        uint64_t since_generation; /* the first generation of workers that has it */
        uint64_t
                last_generation; /* and the last; a WORKER_DRAIN has every listener that closed before its generation */
        uint64_t closing_since_ms;
        uint64_t empty_since_ms; /* nobody has been seen waiting since then */
        uint64_t
                enough_accepted; /* when the pool has accepted so many, those that waited at the beginning are served */
        unsigned queued;
        bool queue_known;   /* `queued` could be measured */
        bool no_handshakes; /* nobody waits, and no handshake is under way for certain */
        bool stays_open;    /* its successor goes on with it: new connections come all the time */
        bool closed;        /* by an order of this turn */
};

/* What scaling remembers of a pool from turn to turn; zero-initialise. */
struct scaling_state {
        struct scale_state scale;
        bool started;            /* the first decision was carried out: start_workers are there */
        bool saturation_told;    /* full, and somebody waits or was refused: people know of the episode */
        uint64_t refused_before; /* connections refused until the end of the last such episode */
};

/* What wakes the master from now on. */
struct turn_levels {
        uint32_t low_below, high_above;
        bool reset_low_water;
        bool watch_listeners; /* the master waits for a connection itself */
        bool notify_busy;     /* workers report that a request begins: no deadline of a request is armed */
};

struct turn {
        /* The facts. */
        uint64_t now_ms;
        const struct pool_config *config;
        struct scale_limits limits; /* of the configuration, with what was laid over it */
        unsigned process_limit;     /* no worker is launched while so many processes are there */
        bool closing_down;          /* the pool was removed or stops: it serves what waits, then ends */
        bool killing, paused;
        uint64_t not_before_ms; /* backing off until then; 0: not */
        unsigned queued;    /* connections that wait on the listeners it serves; closing down: on the closing ones */
        uint64_t accepted;  /* connections ever taken from listeners */
        uint64_t refused;   /* connections ever closed unserved because the pool was full */
        uint32_t low_water; /* the lowest idle count since levels.reset_low_water */
        struct closing_row *closing;
        size_t closing_count;
        struct worker_rows rows;
        struct scaling_state *scaling;

        /* The outcome. */
        struct orders orders;
        struct turn_levels levels;
        uint64_t next_ms; /* when to take the next turn if nothing happens before; TURN_NEVER_MS */
        bool again;       /* … take it at the next turn of the loop: there is more to do */
        unsigned launches;
};

/* Begin: `turn` is zero-initialised or was used before (its memory is kept). The caller fills in the facts. */
void turn_begin(struct turn *turn, uint64_t now_ms, uint64_t generation);
void turn_clear(struct turn *turn);

bool turn_is_backing_off(const struct turn *turn);

/* Closing listeners that are still there after the orders so far. */
size_t turn_closing_left(const struct turn *turn);

/* How many workers may be launched ahead of those they replace: as long as no more than max_workers and reload_surge
 * run, those that end included. */
unsigned turn_room_ahead(const struct turn *turn);

/* Ask again at that time. */
void turn_ask_at(struct turn *turn, uint64_t at_ms);

/* True if the time has come; if not, asks again when it has. */
bool turn_is_due(struct turn *turn, uint64_t at_ms);

struct launch {
        enum worker_purpose purpose;
        unsigned count;
        const char *reason; /* a word for the log; a literal */
        const char *why;    /* text for people: recorded as "+N workers (WHY)"; NULL: it is not a decision of its own */
        uint32_t replaces;  /* WORKER_REPLACE: the row it is for */
};

/* Order a launch. Returns how many were ordered, which may be less than asked for, or none:
 *   - the pool is crowded: workers that end still hold the places of processes; the end of one is a turn of its own;
 *   - this turn has launched enough, or memory is short: `again` or next_ms is set.
 * A launch that is carried out and fails is another matter: the pool backs off, and the next snapshot lacks the row. */
unsigned turn_launch(struct turn *turn, const struct launch *launch);

/* The other orders, as in logic/policy/orders. Retiring a worker whose door is closed is no order at all; neither is
 * serving on for one that neither asks nor is being recycled. */
void turn_retire(struct turn *turn, uint32_t row, const char *reason);
void turn_let_go(struct turn *turn, uint32_t row, const char *reason);
void turn_serve_on(struct turn *turn, uint32_t row);
void turn_settle(struct turn *turn, uint32_t row);
void turn_feed(struct turn *turn, uint32_t row, enum worker_event event);
void turn_close(struct turn *turn, size_t closing);
void turn_note_queue(struct turn *turn, size_t closing);
void turn_record(struct turn *turn, enum order_kind kind, int priority, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void turn_tell_worker(struct turn *turn, uint32_t row, enum worker_event event, int priority, uint64_t duration_ms,
                      const char *what);
