/* A worker's life cycle: its state, since when, and whether it was retired. One table of state × event, and the only
 * code that changes a life. Pure.
 *
 * Only the master knows the life; the worker itself reports in the scoreboard whether it is idle or busy. master/pool
 * feeds events and carries out the returned action; the policies feed the same events to the rows of a snapshot to see
 * the effect of an order. What must stay true: a life ends only by an exit or a failed launch, a retired worker never
 * becomes WORKER_READY again, and a worker that was ordered to end never counts as serving. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum worker_state {
        WORKER_LAUNCHING,   /* ordered; its pid is not known yet */
        WORKER_STARTING,    /* runs, and has not reported ready */
        WORKER_READY,       /* serves a request or waits for one */
        WORKER_DETACHED,    /* its request outlived detach_after: it does not count against max_workers and ends after
                             * that request */
        WORKER_RETIRING,    /* was asked to end when it is idle */
        WORKER_TERMINATING, /* its request outlived request_timeout: the handler's group got TERM */
        WORKER_KILLING,     /* TERM was not enough: the handler's group got KILL */
        WORKER_ENDING,      /* was ordered to kill its handler and end now */
        WORKER_KILLED,      /* got KILL itself, or gets it as soon as its pid is known */
        WORKER_GONE,        /* reaped, or its launch failed; its slot may be used again */
        WORKER_STATE_COUNT
};

enum worker_event {
        WORKER_EVENT_LAUNCHED,        /* its pid is known and it is registered with the reaper */
        WORKER_EVENT_LAUNCH_FAILED,   /* there is no process, and there will be none */
        WORKER_EVENT_READY,           /* it reported ready */
        WORKER_EVENT_RETIRE,          /* the master wants it to end when it is idle */
        WORKER_EVENT_DETACH,          /* its request outlived detach_after, and max_detached_workers is not reached */
        WORKER_EVENT_REQUEST_TIMEOUT, /* its request outlived request_timeout */
        WORKER_EVENT_KILL_TIMEOUT,    /* kill_timeout has passed since the last escalation */
        WORKER_EVENT_REQUEST_ENDED,   /* the request that was escalated or detached has ended */
        WORKER_EVENT_START_TIMEOUT,   /* start_timeout has passed and it has not reported ready (retiring or not) */
        WORKER_EVENT_STUCK,           /* it was retired and is idle, and has not ended: it may be stopped (SIGSTOP) */
        WORKER_EVENT_STOP_NOW,        /* the master stops without waiting */
        WORKER_EVENT_NO_HANDLER,      /* it was ordered to end, and has no handler */
        WORKER_EVENT_GRACE_OVER,      /* it was ordered to end, and WORKER_ENDING_GRACE_MS has passed */
        WORKER_EVENT_EXITED,          /* reaped */
        WORKER_EVENT_COUNT
};

enum worker_action {
        WORKER_ACTION_NONE,
        WORKER_ACTION_SIGNAL_RETIRE, /* send the retire signal */
        WORKER_ACTION_RELAY_TERM,    /* order the worker to send TERM to its handler's group */
        WORKER_ACTION_RELAY_KILL,    /* order the worker to send KILL to its handler's group */
        WORKER_ACTION_END,           /* order the worker to KILL its handler's group and to end; if it cannot have a
                                      * handler, feed NO_HANDLER instead */
        WORKER_ACTION_KILL,          /* KILL the worker's process */
        WORKER_ACTION_FORGET,        /* release its slot and records */
        WORKER_ACTION_COUNT
};

/* How long a worker that was ordered to end has until it is killed itself. It gets the time because only it knows its
 * handler. */
#define WORKER_ENDING_GRACE_MS 1000

/* Zero except for since_ms: a worker that is being launched. */
struct worker_life {
        enum worker_state state;
        bool retired;      /* it was sent the retire signal, or will be once its pid is known */
        uint64_t since_ms; /* when it entered `state` */
};

/* Apply `event`: change the life and return the action to carry out. Defined for every combination: an event without
 * meaning in a state changes nothing and returns WORKER_ACTION_NONE. WORKER_GONE is final. Retiring twice has the
 * effect of retiring once. */
enum worker_action worker_life_feed(struct worker_life *life, enum worker_event event, uint64_t now_ms);

/* True while the worker is being launched or is starting: it cannot serve yet. */
bool worker_life_is_starting(const struct worker_life *life);

/* True if it serves or will serve, and was not retired, detached or ordered to end. Such workers count against
 * max_workers. */
bool worker_life_is_open(const struct worker_life *life);

/* "starting", "ready", … and "ready", "retire", … for logs and status. */
const char *worker_life_state_name(enum worker_state state);
const char *worker_life_event_name(enum worker_event event);
