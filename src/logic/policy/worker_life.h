/* A worker's life: the state it is in, since when, and whether its door is closed. One table of state × event, and the
 * only code that changes a life. Pure.
 *
 * The life is the master's private knowledge; what the worker does (idle or busy) is its own report and lives in the
 * scoreboard. master/ feeds events and carries out the action that comes back; the policies feed them to the rows of a
 * snapshot, so that they know where an order will lead. What must stay true: a life ends only by an exit or by a failed
 * launch, no path leads from a closed door back to WORKER_READY, and a worker that was ordered to end never
 * looks like one that serves. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum worker_state {
        WORKER_LAUNCHING,   /* ordered; its pid is not known yet */
        WORKER_STARTING,    /* runs, and has not said that it can serve */
        WORKER_READY,       /* serves, or waits to */
        WORKER_DETACHED,    /* its request outlived detach_after: outside max_workers, ends after that request */
        WORKER_RETIRING,    /* was asked to end when convenient */
        WORKER_TERMINATING, /* its request outlived request_timeout: the handler's group got TERM */
        WORKER_KILLING,     /* TERM was not enough: the handler's group got KILL */
        WORKER_ENDING,      /* was ordered to end now and to take its handler along */
        WORKER_KILLED,      /* got KILL itself, or gets it as soon as its pid is known */
        WORKER_GONE,        /* reaped, or never launched (its slot may be used again) */
        WORKER_STATE_COUNT
};

enum worker_event {
        WORKER_EVENT_LAUNCHED,        /* its pid is known and it is registered with the reaper */
        WORKER_EVENT_LAUNCH_FAILED,   /* there is no process, and there will be none */
        WORKER_EVENT_READY,           /* reported that it can serve */
        WORKER_EVENT_RETIRE,          /* the master wants it to end when convenient */
        WORKER_EVENT_DETACH,          /* its request outlived detach_after and there is room */
        WORKER_EVENT_REQUEST_TIMEOUT, /* its request outlived request_timeout */
        WORKER_EVENT_KILL_TIMEOUT,    /* kill_timeout has passed since the last escalation */
        WORKER_EVENT_REQUEST_ENDED,   /* the request an escalation or a detachment was about is over */
        WORKER_EVENT_START_TIMEOUT,   /* it never reported ready, and start_timeout is over (retiring or not) */
        WORKER_EVENT_STUCK,           /* its door is closed, it is idle, and still there: it may be stopped */
        WORKER_EVENT_STOP_NOW,        /* the master stops without waiting */
        WORKER_EVENT_NO_HANDLER,      /* it was ordered to end, and has no handler to take along */
        WORKER_EVENT_GRACE_OVER,      /* it was ordered to end, and has had WORKER_ENDING_GRACE_MS for it */
        WORKER_EVENT_EXITED,          /* reaped */
        WORKER_EVENT_COUNT
};

enum worker_action {
        WORKER_ACTION_NONE,
        WORKER_ACTION_SIGNAL_RETIRE, /* send the retire signal */
        WORKER_ACTION_RELAY_TERM,    /* order the worker to send TERM to its handler's group */
        WORKER_ACTION_RELAY_KILL,    /* order the worker to send KILL to its handler's group */
        WORKER_ACTION_END,           /* order the worker to KILL its handler's group and to end; feed NO_HANDLER instead
                                      * if it can have none */
        WORKER_ACTION_KILL,          /* KILL the worker's process */
        WORKER_ACTION_FORGET,        /* release its slot and records */
        WORKER_ACTION_COUNT
};

/* How long a worker that was ordered to end has until it is killed itself: only it knows its handler. */
#define WORKER_ENDING_GRACE_MS 1000

/* Zero-initialised with since_ms: a worker that is being launched. */
struct worker_life {
        enum worker_state state;
        bool retired;      /* its door is closed: it was sent the retire signal, or is when its pid is known */
        uint64_t since_ms; /* when it entered `state` */
};

/* What happens to a worker on `event`: changes the life and returns what is to be done. Defined for every combination:
 * an event that means nothing in a state changes nothing and asks for nothing. WORKER_GONE is for ever. To retire twice
 * is to retire once. */
enum worker_action worker_life_feed(struct worker_life *life, enum worker_event event, uint64_t now_ms);

/* True while the worker is launched or starts: it will serve, and cannot yet. */
bool worker_life_is_starting(const struct worker_life *life);

/* True if it serves or will serve on: nobody has asked it to go, and nothing was done to end it. Such workers count
 * against max_workers. */
bool worker_life_is_open(const struct worker_life *life);

/* "starting", "ready", … and "ready", "retire", … for logs and status. */
const char *worker_life_state_name(enum worker_state state);
const char *worker_life_event_name(enum worker_event event);
