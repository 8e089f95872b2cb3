/* A worker's lifecycle: one table of state × event, and the only code that changes a lifecycle. Pure.
 *
 * The lifecycle is the master's private knowledge; the activity (idle or busy) is the worker's own report and lives in
 * the scoreboard. master/ feeds events and carries out the action that comes back. What must stay true: no state but
 * WORKER_GONE lets go of a worker, and no path leads from a closed door back to WORKER_READY. */
#pragma once

#include <stdbool.h>

enum worker_state {
        WORKER_STARTING,    /* forked, has not said that it can serve */
        WORKER_READY,       /* serves, or waits to */
        WORKER_DETACHED,    /* its request outlived detach_after: outside max_workers, ends after that request */
        WORKER_RETIRING,    /* was asked to end when convenient */
        WORKER_TERMINATING, /* its request outlived request_timeout: the handler's group got TERM */
        WORKER_KILLING,     /* TERM was not enough: the handler's group, or the worker as well, got KILL */
        WORKER_GONE,        /* reaped (its slot may be used again) */
        WORKER_STATE_COUNT
};

enum worker_event {
        WORKER_EVENT_READY,           /* reported that it can serve */
        WORKER_EVENT_RETIRE,          /* the master wants it to end when convenient */
        WORKER_EVENT_DETACH,          /* its request outlived detach_after and there is room */
        WORKER_EVENT_REQUEST_TIMEOUT, /* its request outlived request_timeout */
        WORKER_EVENT_KILL_TIMEOUT,    /* kill_timeout has passed since the last escalation */
        WORKER_EVENT_REQUEST_ENDED,   /* the request an escalation or a detachment was about is over */
        WORKER_EVENT_START_TIMEOUT,   /* it never reported ready, and start_timeout is over (retiring or not) */
        WORKER_EVENT_STUCK,           /* its door is closed, it is idle, and still there: it may be stopped */
        WORKER_EVENT_STOP_NOW,        /* the master stops without waiting */
        WORKER_EVENT_EXITED,          /* reaped */
        WORKER_EVENT_COUNT
};

enum worker_action {
        WORKER_ACTION_NONE,
        WORKER_ACTION_SIGNAL_RETIRE, /* send the retire signal */
        WORKER_ACTION_RELAY_TERM,    /* order the worker to send TERM to its handler's group */
        WORKER_ACTION_RELAY_KILL,    /* order the worker to send KILL to its handler's group */
        WORKER_ACTION_KILL,          /* KILL the handler's group and the worker itself */
        WORKER_ACTION_FORGET,        /* release its slot and records */
        WORKER_ACTION_COUNT
};

struct worker_transition {
        enum worker_state next;
        enum worker_action action;
};

/* What happens in `state` on `event`. `retired`: the worker has been sent the retire signal before, so that an ended
 * escalation leads back to RETIRING (where it is about to end), not to READY. Defined for every combination; events
 * that mean nothing in a state leave it as it is with no action. WORKER_GONE never leaves.
 *
 * After WORKER_ACTION_KILL only WORKER_EVENT_EXITED, KILL_TIMEOUT and STOP_NOW should be fed: the table cannot tell a
 * worker that was killed from one whose handler was, so that a late REQUEST_ENDED would show it as ready until it is
 * reaped. */
struct worker_transition worker_fsm_step(enum worker_state state, enum worker_event event, bool retired);

/* "starting", "ready", … and "ready", "retire", … for logs and status. */
const char *worker_state_name(enum worker_state state);
const char *worker_event_name(enum worker_event event);
