/* A worker as the master knows it, from launch to reaping.
 *
 * Owned by its pool (worker_table). It exists before its process exists or its pid is known. What must stay true: its
 * life is changed only through logic/policy/worker_life, by worker_event(); and what it reports in its slot is never
 * trusted as an index, a pid or a pointer. Times are in ms of clock_now_ms(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worker_life.h"
#include "logic/policy/worker_purpose.h"
#include "logic/policy/worker_rows.h"
#include "os/net/listener_mark.h"
#include "prefork/scoreboard.h"

struct board;
struct pool;
struct worker_output;

struct worker {
        struct pool *pool;
        struct worker *next, **link; /* of the pool's list */
        pid_t pid;                   /* 0: not known yet */
        enum worker_purpose purpose;
        struct worker_life life;
        struct board *board; /* in which it reports */
        uint32_t slot;       /* its first … */
        uint32_t slots;      /* … of so many, one for each of its threads */
        uint64_t generation;
        bool unwatched;    /* a program that reports nothing */
        bool stopped;      /* by a signal: it serves nobody until it is continued */
        int retire_signal; /* what asks it to end */
        bool is_program;   /* it executes the handler in its place: signals are for the program, and so is its exit code
                            */
        bool listener_shut; /* a listener that it accepts on closes: a program may end when accept fails there */
        enum recycle_progress recycling;
        struct worker *replacement;     /* the worker that must be ready before it ends; its `replaces` points back */
        struct worker *replaces;        /* WORKER_REPLACE: the worker it was started for */
        uint64_t requests_at_fork;      /* of the whole pool; a later success excuses a failure */
        struct listener_mark at_launch; /* of what inetd calls wait: what waited for it */
        const char *reason;             /* of its launch, one word; NULL if it was adopted in an upgrade */
        bool stop_told;                 /* logged once in its life */
        struct worker_output *output;   /* during the launch: its log pipe, which is not its own; NULL afterwards */
        int log_source_fd; /* during the launch: its socket to the log process, if it has one; -1 afterwards */
        int status_fd;     /* the same, of a status pool: our end of its socket for questions */
        uint64_t forked_ms;
        uint64_t escalated_request; /* the request that was escalated or detached last … */
        uint32_t escalated_thread;  /* … and whose it was: the number of a slot among its own */
        uint64_t slow_request;      /* the request that was told of last, because it was slow … */
        uint32_t slow_thread;       /* … and whose it was */
        uint32_t row;               /* its number in the last snapshot */
};

/* The listeners that it is given if it is launched now. */
const struct listener_set *worker_listeners(const struct worker *worker);

/* Its process runs as `pid`: what was ordered during the launch is carried out now. */
void worker_launched(struct worker *worker, pid_t pid, uint64_t now_ms);

/* Feed an event to its life and carry out the action. */
void worker_event(struct worker *worker, enum worker_event event, uint64_t now_ms);

/* Ask the worker to end when it is idle; `reason` is one word (logged at debug level). No effect if it was retired or
 * ordered to end before. */
void worker_retire(struct worker *worker, const char *reason, uint64_t now_ms);

/* If it reports that it is ready, it is. */
void worker_note_ready(struct worker *worker, uint64_t now_ms);

/* Before a worker that is late is killed. True: from now on it takes no connection. False: it has reported ready, see
 * PREFORK_STARTING. */
bool worker_give_up_start(const struct worker *worker);

/* The worker `context` has been stopped by a signal, or continued. While it is stopped it is neither idle nor spare. */
void worker_note_stop(void *context, bool stopped);

/* Its slot number `thread`. What concerns the worker as a whole (the start, recycling) is in the first, number 0. */
struct prefork_slot *worker_slot(const struct worker *worker, uint32_t thread);

/* Remove all its slots from the idle set. */
void worker_leave_idle_set(const struct worker *worker);

/* True if it serves requests, on any listener; false for the refuser. */
bool worker_serves(const struct worker *worker);

/* Set the replacement that must be ready before the worker ends; NULL: none. A previous replacement serves on. */
void worker_set_replacement(struct worker *worker, struct worker *replacement);

/* Order it to interrupt a request, besides whatever happens to its life. */
void worker_interrupt(struct worker *worker, const struct worker_request *request);

/* Answer a worker's question about its recycling. */
void worker_answer(struct worker *worker, enum prefork_answer answer);
