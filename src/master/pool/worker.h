/* A worker as the master knows it: forked, watched, told to end, reaped.
 *
 * Listed in its pool from launch to reaping: it is there before its process is, or has a number. Its life is changed
 * only through logic/policy/worker_life, by worker_event(). What it reports in its slot is advice. Times are ms of the
 * clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worker_life.h"
#include "logic/policy/worker_purpose.h"
#include "logic/policy/worker_rows.h"
#include "prefork/scoreboard.h"

struct pool;

struct worker {
        struct pool *pool;
        struct worker *next, **link; /* of the pool's list */
        pid_t pid;                   /* 0: not known yet */
        enum worker_purpose purpose;
        struct worker_life life;
        uint32_t slot;
        uint64_t generation;
        enum recycle_progress recycling;
        struct worker *replacement; /* that is to be ready before it goes; points back by `replaces` */
        struct worker *replaces;    /* WORKER_REPLACE: the one it was started for */
        uint64_t requests_at_fork;  /* of the whole pool: a later success excuses a failure */
        const char *reason;         /* of its launch, in a word; NULL: a former program knew */
        int log_read_fd;            /* while it is launched: the end of its log pipe that will be read; -1 afterwards */
        uint64_t forked_ms;
        uint64_t escalated_request; /* which request TERM, KILL or a detachment was about */
        uint32_t row;               /* its number in the last snapshot */
};

/* Its process runs under that number: what it was told before is passed on to it. */
void worker_launched(struct worker *worker, pid_t pid, uint64_t now_ms);

/* Feed an event to its life and carry out the action. */
void worker_event(struct worker *worker, enum worker_event event, uint64_t now_ms);

/* Ask to end when convenient, for a reason of one word (logged at debug level). Nothing if it was asked before, or was
 * ordered to end. */
void worker_retire(struct worker *worker, const char *reason, uint64_t now_ms);

/* What the slot says: its words, whether it claims to be idle, and for how long it has done what it does. */
struct prefork_slot *worker_slot(const struct worker *worker);
bool worker_is_idle(const struct worker *worker);
bool worker_is_busy(const struct worker *worker);
uint64_t worker_since_ms(const struct worker *worker, uint64_t now_ms);

/* True if it serves requests, whosever; false if it refuses connections. */
bool worker_serves(const struct worker *worker);

/* Let `replacement` be what has to be ready before the worker goes; NULL: nothing. A former one serves on. */
void worker_set_replacement(struct worker *worker, struct worker *replacement);

/* All that the policies need to know of it, at this moment; its links are not set. */
struct worker_row worker_row_of(struct worker *worker, uint64_t now_ms);

/* Answer a worker's question about its recycling. */
void worker_answer(struct worker *worker, enum prefork_answer answer);
