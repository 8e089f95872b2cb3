/* The budget of workers that all pools share (max_workers_total): which pool gets the places that are free, and which
 * one gives one back. Pure: rows and the time in, numbers out.
 *
 * Each pool has a row, which master/pool/pool_budget writes after the pool's turn; before its turn it asks for the
 * pool's grant, and after it for the row to look at next. So nothing is decided in advance: places are taken in the
 * turns of pools, and the one that comes first is looked at first.
 *
 * Who comes first: what a pool must have (its first worker, the workers of a static pool), by how long it has not had
 * it; then what connections wait for, by how long they have waited. What nobody waits for (spare workers, rolls) comes
 * last. If there are too few places, pools without waiting connections give idle workers back, down to
 * min_spare_workers. For what a pool must have, one pool gives a worker that it would keep: an idle one, or one that
 * ends after its request.
 *
 * What must stay true: grants never add up to more than the total; a pool whose connections wait longest gets the next
 * place; a pool is never looked at again and again for nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A worker that was asked to end is expected to leave its place within this time. */
#define BUDGET_SOON_MS 5000

/* How much a pool was asked for, in vain so far: then it watches for idle workers itself. */
enum budget_asked { BUDGET_NOT_ASKED, BUDGET_SPARE, BUDGET_ANY };

/* Everything is counted in slots, as in logic/policy/worker_rows. */
struct budget_row {
        struct budget_row *next;
        void *owner;        /* the pool */
        unsigned unit;      /* the slots of a worker, at least 1 */
        unsigned used;      /* the places that its workers take up, ending ones included */
        unsigned ending;    /* of these, those of workers that were asked to end, … */
        uint64_t ending_ms; /* … the last of them then */
        unsigned idle;      /* of these, the idle ones that were not asked to end */
        unsigned pledged;   /* of these, those that have not begun, or that connections are just waking */
        unsigned keeps;     /* the idle ones that it keeps if it can */
        bool gives_none;    /* it is static */
        unsigned wants;     /* the places that it lacks for connections that wait, or to be what a static pool is */
        unsigned urgent;    /* of these, what it must have, … */
        uint64_t urgent_ms; /* … and has not had since then */
        uint64_t since_ms;  /* the oldest of these connections has waited since then; valid if it wants any */
        unsigned in_vain;   /* it was looked at when so many places were free, and took none; 0: it was not */
        unsigned granted;   /* the places of its last turn */
        enum budget_asked asked;
};

/* Zero-initialise. */
struct budget {
        unsigned total; /* 0: there is no such budget */
        struct budget_row *first;
};

struct budget_grant {
        unsigned places; /* how many more the pool may take up now */
        unsigned give;   /* or how many it is asked to give back, of what it does not need */
        bool any;        /* it is to give one in any case */
};

void budget_add(struct budget *budget, struct budget_row *row);
void budget_remove(struct budget *budget, const struct budget_row *row);

/* The places that are taken up. */
uint64_t budget_used(const struct budget *budget);

/* What the pool of row `own` may do in its turn; the budget must have a total. */
struct budget_grant budget_grant(const struct budget *budget, const struct budget_row *own, uint64_t now_ms);

/* The row whose pool must take a turn now: a place is free for it, or it must be asked for one. NULL: none. */
struct budget_row *budget_next(const struct budget *budget, uint64_t now_ms);
