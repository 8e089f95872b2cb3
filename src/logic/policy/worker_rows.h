/* A snapshot of a pool's workers as rows: what the policies need to know of each, and how many there are of each kind
 * that the limits distinguish. Pure.
 *
 * master/pool/pool_snapshot fills in the rows at the beginning of a turn. Orders change them (a planned launch is a
 * row, a planned retirement changes one), so that each policy sees what earlier policies have ordered. What must stay
 * true: the counts agree with the rows at any time, and a row keeps its number during the turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worker_life.h"
#include "logic/policy/worker_purpose.h"

#define WORKER_ROW_NONE UINT32_MAX

/* Why a worker asks to be recycled, read from its slot. */
enum recycle_reason { RECYCLE_NOT_ASKED, RECYCLE_REQUESTS, RECYCLE_MEMORY, RECYCLE_AGE, RECYCLE_REASON_COUNT };

/* The progress of a worker's recycling. */
enum recycle_progress {
        RECYCLE_NONE,
        RECYCLE_REPLACING, /* its replacement is starting */
        RECYCLE_LET_GO,    /* it may end after its request; it counts until it has ended */
        RECYCLE_PROGRESS_COUNT
};

/* A request that is being served. */
struct worker_request {
        bool present;    /* there is one */
        uint32_t thread; /* whose it is */
        uint64_t number;
        uint64_t since_ms;
};

struct worker_row {
        void *worker; /* the master's record of it; NULL: planned in this turn */
        pid_t pid;    /* for log texts only; 0: not known */
        struct worker_life life;
        enum worker_purpose purpose;
        bool stopped;   /* by a signal: neither idle nor about to be, so it counts as busy */
        bool unwatched; /* a program that reports nothing: neither idle nor busy as far as is known */
        uint32_t slots; /* one for each of its threads; 0 means 1, a worker without threads */
        uint64_t generation;
        uint64_t launched_ms;

        /* Recycling. The two links are each other's inverse, or WORKER_ROW_NONE. */
        enum recycle_progress recycling;
        uint32_t replacement; /* the row that must be ready before this one ends */
        uint32_t replaces;    /* WORKER_REPLACE: the row it was started for */

        /* Read from the slot. */
        bool idle;           /* in the idle set, with all its slots; false unless the life is WORKER_READY */
        uint32_t idle_slots; /* with threads, those of its slots that are in the idle set while not all are */
        uint32_t throttled;  /* how many of its slots hold a connection that rate_limit does not let pass yet */
        bool busy;           /* serves a request; false while it starts, and for the refuser */
        enum recycle_reason asks;
        uint64_t since_ms; /* when its present activity began; never later than the snapshot */
        uint64_t request;  /* number of its present or last request */
        uint32_t thread;   /* whose request that is: with threads, the one that has served its request for the longest;
                            * after an escalation, the one whose request was escalated */
        uint64_t requests; /* how many its threads have begun in all */
        bool interrupted;  /* that request was interrupted already, while another one was escalated */
        struct worker_request other; /* while one is escalated: the oldest of the others that was not interrupted */
        bool granted;                /* it was answered that it may end; a new question clears this */
        uint64_t asked_ns;           /* when the request began during which it asked: orders the workers that ask */

        uint64_t escalated_request; /* the request that was escalated or detached last … */
        uint32_t escalated_thread;  /* … and whose it was */
        uint64_t slow_request;      /* the request that was told of last, because it was slow … */
        uint32_t slow_thread;       /* … and whose it was */
};

/* Everything is counted in slots: a worker with four threads is four workers here, and its threads are idle or busy.
 * Detached and ending workers are counted in `detached`, `retiring` and the process counts only. Helpers (WORKER_DRAIN)
 * come in addition to max_workers; they are neither scaled nor rolled, and count as `retiring`. The refuser is in
 * `processes_all` only. */
struct worker_counts {
        unsigned starting, idle, busy, detached, retiring;
        unsigned throttled; /* of idle: workers that hold a connection that rate_limit does not let pass yet */
        unsigned unwatched; /* of total: ready, and whether they are idle or busy is unknown */
        unsigned total;     /* counts against max_workers: starting + idle + busy + unwatched */
        unsigned old_total; /* of total, those of an older generation */
        unsigned surge;     /* of total, those that a roll has started and for which no older one was retired yet */
        unsigned helpers;   /* of retiring, the helpers that still serve */
        unsigned processes; /* all but detached workers and the refuser */
        unsigned places;    /* of these, all but helpers: they take up places of max_workers_total */
        unsigned processes_all;
};

/* Zero-initialise; end with worker_rows_clear(). */
struct worker_rows {
        struct worker_row *items;
        uint32_t count, capacity;
        uint64_t generation; /* the pool's: rows of an earlier one are old */
        struct worker_counts counts;
};

/* How many slots it has, and how many of them are idle. */
unsigned worker_row_slots(const struct worker_row *row);
unsigned worker_row_idle_slots(const struct worker_row *row);

/* Remove all rows but keep the memory; `generation` is the pool's. */
void worker_rows_begin(struct worker_rows *rows, uint64_t generation);

/* Make room for `more` rows. 0; -ENOMEM: nothing has changed. */
int worker_rows_reserve(struct worker_rows *rows, uint32_t more);

/* Add a row without links and return its number; there must be room. */
uint32_t worker_rows_add(struct worker_rows *rows, const struct worker_row *row);

/* Make row `replacement` the replacement of row `row`. Neither link may be set yet. */
void worker_rows_link(struct worker_rows *rows, uint32_t row, uint32_t replacement);

/* Remove the link to the row's replacement, if any, which becomes an ordinary worker. */
void worker_rows_unlink(struct worker_rows *rows, uint32_t row);

/* Change a row and the counts with it. Every change that affects counts must go through one of these. */
enum worker_action worker_rows_feed(struct worker_rows *rows, uint32_t row, enum worker_event event, uint64_t now_ms);
void worker_rows_set_purpose(struct worker_rows *rows, uint32_t row, enum worker_purpose purpose);

/* True if it accepts connections or will, on any listener, and was not asked to end. Never true of the refuser. */
bool worker_row_stays(const struct worker_row *row);

/* True if it counts against max_workers: it stays and is no helper. */
bool worker_row_counts(const struct worker_row *row);

/* Add a row to `counts`; `generation` is the pool's. */
void worker_counts_add(struct worker_counts *counts, const struct worker_row *row, uint64_t generation);

/* Properties of a row. An old one belongs to a generation before the pool's. */
bool worker_row_is_starting(const struct worker_row *row);
bool worker_row_is_unwatched(const struct worker_row *row); /* ready, and neither known to be idle nor to be busy */
bool worker_row_is_old(const struct worker_rows *rows, const struct worker_row *row);

/* The row of the worker that refuses connections, or WORKER_ROW_NONE. */
uint32_t worker_rows_find_refuser(const struct worker_rows *rows);

void worker_rows_clear(struct worker_rows *rows);
