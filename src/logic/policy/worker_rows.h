/* The workers of a pool as rows: what the policies need to know of each, as it was at one moment, and the workers
 * counted by what they are to the limits. Pure.
 *
 * master/ fills the rows in at the beginning of a turn; orders change them (a planned launch is a row, a planned
 * retirement changes one), so that each policy of the turn sees what those before it have ordered. What must stay true:
 * the counts are those of the rows at any time, and a row keeps its number for the turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worker_life.h"
#include "logic/policy/worker_purpose.h"

#define WORKER_ROW_NONE UINT32_MAX

/* Why a worker asks to be recycled, as its slot says. */
enum recycle_reason { RECYCLE_NOT_ASKED, RECYCLE_REQUESTS, RECYCLE_MEMORY, RECYCLE_AGE, RECYCLE_REASON_COUNT };

/* How far the recycling of a worker is. */
enum recycle_progress {
        RECYCLE_NONE,
        RECYCLE_REPLACING, /* its replacement is on its way */
        RECYCLE_LET_GO,    /* it was given leave to go after its request; it counts until it has gone */
        RECYCLE_PROGRESS_COUNT
};

struct worker_row {
        void *worker; /* the master's record of it; NULL: planned in this turn */
        pid_t pid;    /* for words alone; 0: not known */
        struct worker_life life;
        enum worker_purpose purpose;
        uint64_t generation;
        uint64_t launched_ms;

        /* Its recycling. The two links are each other's opposite, or WORKER_ROW_NONE. */
        enum recycle_progress recycling;
        uint32_t replacement; /* the row that is to be ready before this one goes */
        uint32_t replaces;    /* WORKER_REPLACE: the row it was started for */

        /* What the slot says. */
        bool idle; /* in the idle set; false unless the life is WORKER_READY */
        bool busy; /* serves a request; false while it starts and for one that refuses */
        enum recycle_reason asks;
        uint64_t since_ms; /* when what it does began; not after the time of the snapshot */
        uint64_t request;  /* number of its present or last request */
        bool granted;      /* … and has been answered that it may go; a new question clears that */
        uint64_t asked_ns; /* orders those that ask: when the request began with which it came to it */

        uint64_t escalated_request; /* which request the last escalation was about */
};

/* Detached workers and those that end are in no count but `detached`, `retiring` and those of processes. Those that
 * drain closing listeners come in addition to max_workers and go by themselves: they are neither scaled nor rolled, and
 * count with those that end. One that refuses is in `processes_all` alone. */
struct worker_counts {
        unsigned starting, idle, busy, detached, retiring;
        unsigned total;     /* against max_workers: starting + idle + busy */
        unsigned old_total; /* of total, those of an older generation */
        unsigned surge;     /* of total, those that a roll has started and that no older one has gone for yet */
        unsigned helpers;   /* of retiring, those that drain closing listeners and will go on with it */
        unsigned processes; /* that take room until they have gone: all but those detached and those that refuse */
        unsigned processes_all;
};

/* Zero-initialise; end with worker_rows_clear(). */
struct worker_rows {
        struct worker_row *items;
        uint32_t count, capacity;
        uint64_t generation; /* of the pool: rows below it are old */
        struct worker_counts counts;
};

/* Forget all rows but keep the memory; `generation` is the pool's from now on. */
void worker_rows_begin(struct worker_rows *rows, uint64_t generation);

/* Make room, so that `more` rows can be added. 0; -ENOMEM, with everything as it was. */
int worker_rows_reserve(struct worker_rows *rows, uint32_t more);

/* Add a row; there must be room. Its number. Links are set by worker_rows_link(). */
uint32_t worker_rows_add(struct worker_rows *rows, const struct worker_row *row);

/* The row is the other's replacement from now on. A row has at most one of each link; both must be free. */
void worker_rows_link(struct worker_rows *rows, uint32_t row, uint32_t replacement);

/* No replacement any more; the one it had, if any, serves like any other. */
void worker_rows_unlink(struct worker_rows *rows, uint32_t row);

/* Change a row. What changes counts goes through one of these. */
enum worker_action worker_rows_feed(struct worker_rows *rows, uint32_t row, enum worker_event event, uint64_t now_ms);
void worker_rows_set_purpose(struct worker_rows *rows, uint32_t row, enum worker_purpose purpose);

/* True if it takes connections or will, whosever, and is not on its way out. */
bool worker_row_stays(const struct worker_row *row);

/* True if it counts against max_workers: it stays, and not for closing listeners alone. */
bool worker_row_counts(const struct worker_row *row);

/* Take a row into counts; `generation` is the pool's. */
void worker_counts_add(struct worker_counts *counts, const struct worker_row *row, uint64_t generation);

/* Of these, what a row is in. An old one is of a generation before the pool's. */
bool worker_row_is_starting(const struct worker_row *row);
bool worker_row_is_old(const struct worker_rows *rows, const struct worker_row *row);

/* The row of the worker that refuses connections, or WORKER_ROW_NONE. */
uint32_t worker_rows_find_refuser(const struct worker_rows *rows);

void worker_rows_clear(struct worker_rows *rows);
