/* A worker as the master knows it: forked, watched, told to end, reaped.
 *
 * Listed in its pool from launch to reaping: it is there before its process is, or has a number. Its lifecycle is changed
 * only through logic/policy/worker_fsm, by worker_event(). What it reports in its slot is advice. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worker_fsm.h"
#include "logic/policy/worker_purpose.h"
#include "prefork/scoreboard.h"

struct pool;

struct worker {
        struct pool *pool;
        struct worker *next, **link; /* of the pool's list */
        pid_t pid; /* 0: not known yet */
        enum worker_purpose purpose;
        enum worker_state state;
        uint32_t slot;
        uint64_t generation;
        bool retired;       /* was sent the retire signal */
        bool ended_by_us;   /* was sent something that ends it */
        bool recycling;     /* its recycling is under way */
        bool let_go;        /* … and it was given leave to go after its request */
        struct worker *replacement; /* that is to be ready before it goes; points back by `replaces` */
        struct worker *replaces; /* WORKER_REPLACE: the one it was started for */
        uint64_t requests_at_fork; /* of the whole pool: a later success excuses a failure */
        const char *reason; /* of its launch, in a word; NULL: a former program knew */
        int log_read_fd;    /* while it is launched: the end of its log pipe that will be read; -1 afterwards */
        uint64_t forked_ms;
        uint64_t retired_ms;
        uint64_t escalated_ms;      /* TERM, KILL: when */
        uint64_t escalated_request; /* … about which request */
        uint64_t kill_at_ms;        /* KILL the process itself then; 0: not planned */
};

/* Its process runs under that number: what it was told before is passed on to it. */
void worker_launched(struct worker *worker, pid_t pid);

/* Feed an event to the lifecycle and carry out the action. */
void worker_event(struct worker *worker, enum worker_event event);

/* Ask to end when convenient, for a reason of one word (logged at debug level). */
void worker_retire(struct worker *worker, const char *reason);

/* What the slot says: its words, whether it claims to be idle, and for how long it has done what it does. */
struct scoreboard_slot *worker_slot(const struct worker *worker);
bool worker_is_idle(const struct worker *worker);
bool worker_is_busy(const struct worker *worker);
uint64_t worker_since_ms(const struct worker *worker, uint64_t now_ms);

/* True if it serves requests, whosever; false if it refuses connections. */
bool worker_serves(const struct worker *worker);

/* Let `replacement` be what has to be ready before the worker goes; NULL: nothing. A former one serves like any other. */
void worker_set_replacement(struct worker *worker, struct worker *replacement);

/* True if it takes connections and is not on its way out. */
bool worker_stays(const struct worker *worker);

/* True if it counts against max_workers: so the scaler, a roll and the status go by it. Workers that were forked to empty
 * closing listeners do not; they come in addition and go with them. */
bool worker_counts(const struct worker *worker);

/* Answer a worker's question about its recycling. */
void worker_answer(struct worker *worker, enum scoreboard_answer answer);
