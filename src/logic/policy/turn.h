/* A pool's turn: the inputs taken at one moment, the orders that the policies derive from them, and the thresholds to
 * publish. Pure.
 *
 * master/pool takes the snapshot (rows, closing listeners, numbers), calls logic/policy/policies, and carries out the
 * outcome. A policy reads the inputs and gives orders through the functions below, which also change the rows. It looks
 * at levels and never at events, so that nothing is lost when events coincide, and it sets the time of the next turn.
 * What must stay true: called again with the results of their orders, the policies soon order nothing more, so that the
 * master does not spin. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/config/config.h"
#include "logic/policy/adaptive.h"
#include "logic/policy/backoff.h"
#include "logic/policy/budget.h"
#include "logic/policy/occupancy.h"
#include "logic/policy/orders.h"
#include "logic/policy/pressure_hold.h"
#include "logic/policy/scale.h"
#include "logic/policy/waiting.h"
#include "logic/policy/worker_rows.h"

#define TURN_NEVER_MS UINT64_MAX

/* The most launches in one turn: about 5 ms of work, so that signals and other pools do not wait long. */
#define TURN_LAUNCHES 32

/* A closing listener. */
struct closing_row {
        uint64_t since_generation; /* the first generation of workers that has the listener */
        uint64_t last_generation;  /* the last one; a WORKER_DRAIN has all that closed before its own */
        uint64_t closing_since_ms;
        uint64_t waited_ms;       /* when somebody was last seen waiting there, or 0: never since it began to close */
        uint64_t emptied_ms;      /* when nobody was first seen waiting, while the last may be served; or 0 */
        uint64_t enough_accepted; /* turn.accepted at which those that waited at first are served */
        unsigned queued;
        bool queue_known;   /* `queued` could be measured */
        bool no_handshakes; /* the queue is empty, and certainly no handshake is in progress */
        bool stays_open;    /* the next master keeps it: new connections keep arriving */
        bool hopeless;      /* helpers could not serve what waits */
        bool closed;        /* closed by an order of this turn */
};

/* What scaling remembers of a pool from turn to turn; zero-initialise. */
struct scaling_state {
        struct scale_state scale;
        struct occupancy occupancy; /* of workers that report nothing */
        struct adaptive_state adaptive;
        bool started;            /* the first decision was carried out: start_workers were launched */
        bool saturation_told;    /* the current episode of saturation was reported … */
        uint64_t told_since_ms;  /* … and since then it is counted */
        uint64_t refused_before; /* turn.refused at the end of the last reported episode */
        struct waiting waiting;
        struct pressure_hold pressure; /* growth_pressure_limit */
};

/* What a pool remembers of its attempts to open listeners; zero-initialise. */
struct listening_state {
        struct backoff attempts; /* the pauses between them */
        bool look_again;         /* the listeners are to be examined when the last older worker has gone, because it
                                  * could damage them until then */
};

/* What wakes the master from now on. */
struct turn_levels {
        uint32_t low_below, high_above;
        bool reset_low_water;
        bool watch_listeners; /* the master itself watches the listeners */
        uint32_t reached;     /* this level is busy, because connections wait, or of no other is known; 0: none */
        bool notify_busy;     /* workers wake the master when a request begins, because no request deadline is armed */
};

struct turn {
        /* The inputs. */
        uint64_t now_ms;
        const struct pool_config *config;
        struct scale_limits limits; /* the configured limits with the overlay applied */
        unsigned process_limit;     /* no worker is launched that would give the pool's processes more slots */
        unsigned total_limit;       /* max_workers_total; 0: there is no such limit, and no grant */
        struct budget_grant grant;  /* what it leaves this pool; launches use the places up */
        bool closing_down;          /* the pool was removed or stops: it serves waiting connections, then ends */
        bool killing, paused;
        uint64_t not_before_ms;  /* end of the back-off; 0: none */
        unsigned queued;         /* connections waiting on its listeners; closing down: on the closing ones */
        uint64_t accepted;       /* connections accepted since the pool began; 0 if nobody needs to know */
        uint64_t refused;        /* connections refused since the pool began because it was full */
        uint32_t low_water;      /* the lowest idle count since levels.reset_low_water */
        uint64_t *level_busy_ms; /* adaptive: when level i + 1 was busy last; 0: never */
        size_t level_count;
        struct worth worth;                                    /* of a start */
        unsigned cpus;                                         /* processors of this machine */
        struct pressure_now pressure[PRESSURE_RESOURCE_COUNT]; /* if scaling_asks_pressure() */
        struct closing_row *closing;
        size_t closing_count;
        struct worker_rows rows;
        struct scaling_state *scaling;
        struct listening_state *listening;
        unsigned faulty;  /* of its listeners, those that have to be opened anew or put right */
        unsigned missing; /* addresses without a listener */
        bool is_deaf;     /* no client can reach the pool: it has no listener that listens, and launches no worker */

        /* The outcome. */
        struct orders orders;
        struct turn_levels levels;
        uint64_t next_ms; /* when to take the next turn if nothing happens before; TURN_NEVER_MS */
        bool again;       /* take the next turn in the next iteration of the loop: there is more to do */
        unsigned launches;
};

/* Begin: `turn` is zero-initialised or was used before (its memory is kept). The caller fills in the inputs. */
void turn_begin(struct turn *turn, uint64_t now_ms, uint64_t generation);
void turn_clear(struct turn *turn);

bool turn_is_backing_off(const struct turn *turn);

/* The number of closing listeners that are still open after the orders so far. */
size_t turn_closing_left(const struct turn *turn);

/* The slots of a worker that is launched for this purpose. */
unsigned turn_slots_of_worker(const struct turn *turn, enum worker_purpose purpose);

/* How many more slots the pool may have within max_workers_total. */
unsigned turn_places(const struct turn *turn);

/* True if the pool may have another worker within max_workers and max_workers_total. */
bool turn_has_room(const struct turn *turn);

/* How many workers may be launched ahead of those they replace: max_workers + reload_surge (at least a worker) minus
 * the processes that run, including workers that are ending. This is without max_workers_total. */
unsigned turn_room_ahead(const struct turn *turn);

/* Request a turn at that time at the latest. */
void turn_ask_at(struct turn *turn, uint64_t at_ms);

/* True if that time has come; if not, request a turn then. */
bool turn_is_due(struct turn *turn, uint64_t at_ms);

struct launch {
        enum worker_purpose purpose;
        unsigned count;
        const char *reason; /* a word for the log; a literal */
        const char *why;    /* recorded as "+N workers (WHY)"; NULL: not recorded as a decision */
        uint32_t replaces;  /* WORKER_REPLACE: the row to replace */
};

/* Order a launch. Returns how many workers were ordered, which may be fewer than requested, or 0:
 *   - the pool has reached its process limit, because ending workers count; the exit of one leads to another turn;
 *   - max_workers_total is reached: the pool is looked at again when its turn to be given a place has come;
 *   - the pool is deaf; an attempt to open its listeners leads to another turn;
 *   - this turn has launched TURN_LAUNCHES, or memory is short: `again` or next_ms is set.
 * If a launch fails when it is carried out, the pool backs off and the next snapshot lacks the row. */
unsigned turn_launch(struct turn *turn, const struct launch *launch);

/* The other orders, as in logic/policy/orders. Nothing is ordered for turn_retire() if the worker is retired already,
 * and for turn_serve_on() if it neither asks nor is being recycled. */
void turn_retire(struct turn *turn, uint32_t row, const char *reason);
void turn_let_go(struct turn *turn, uint32_t row, const char *reason);
void turn_serve_on(struct turn *turn, uint32_t row);
void turn_interrupt(struct turn *turn, uint32_t row);
void turn_tell_slow(struct turn *turn, uint32_t row);
void turn_settle(struct turn *turn, uint32_t row);
void turn_feed(struct turn *turn, uint32_t row, enum worker_event event);
void turn_give_up(struct turn *turn, uint32_t row, uint64_t duration_ms, const char *what);
void turn_close(struct turn *turn, size_t closing);
void turn_open_listeners(struct turn *turn);
void turn_examine_listeners(struct turn *turn);
void turn_note_queue(struct turn *turn, size_t closing);
void turn_note_empty(struct turn *turn, size_t closing);
void turn_record(struct turn *turn, enum order_kind kind, int priority, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void turn_tell_worker(struct turn *turn, uint32_t row, enum worker_event event, int priority, uint64_t duration_ms,
                      const char *what);
