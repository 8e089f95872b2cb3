#include "logic/policy/worker_fsm.h"

#include <assert.h>

#include "base/cleanup.h"

/* One cell: where the event leads, and what the master has to do. Nothing ever leads back to WORKER_STARTING, so its
 * value, 0, means "stay": a cell that is left out changes nothing. */
struct cell {
        enum worker_state to;
        enum worker_action action;
};
static_assert(WORKER_STARTING == 0, "an empty cell must mean: stay");
static_assert(WORKER_ACTION_NONE == 0, "an empty cell must mean: do nothing");

#define RETIRE {.action = WORKER_ACTION_SIGNAL_RETIRE}
#define KILL {WORKER_KILLING, WORKER_ACTION_KILL}
#define TERMINATE {WORKER_TERMINATING, WORKER_ACTION_RELAY_TERM}
#define FORGET {WORKER_GONE, WORKER_ACTION_FORGET}

static const struct cell table[][WORKER_EVENT_COUNT] = {
        [WORKER_STARTING] = {
                [WORKER_EVENT_READY] = {WORKER_READY},
                [WORKER_EVENT_RETIRE] = {WORKER_RETIRING, WORKER_ACTION_SIGNAL_RETIRE},
                [WORKER_EVENT_START_TIMEOUT] = KILL,
                [WORKER_EVENT_STOP_NOW] = KILL,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_READY] = {
                [WORKER_EVENT_RETIRE] = {WORKER_RETIRING, WORKER_ACTION_SIGNAL_RETIRE},
                /* A detached worker is outside max_workers, so it must not take another request. */
                [WORKER_EVENT_DETACH] = {WORKER_DETACHED, WORKER_ACTION_SIGNAL_RETIRE},
                [WORKER_EVENT_REQUEST_TIMEOUT] = TERMINATE,
                [WORKER_EVENT_STOP_NOW] = KILL,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_DETACHED] = {
                [WORKER_EVENT_REQUEST_TIMEOUT] = TERMINATE,
                [WORKER_EVENT_REQUEST_ENDED] = {WORKER_RETIRING},
                [WORKER_EVENT_STUCK] = KILL,
                [WORKER_EVENT_STOP_NOW] = KILL,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_RETIRING] = {
                /* A retired worker with a long request holds a place that its replacement needs: it may detach too. */
                [WORKER_EVENT_DETACH] = {WORKER_DETACHED},
                [WORKER_EVENT_REQUEST_TIMEOUT] = TERMINATE,
                /* Retired while starting: the retire signal stays blocked until the start is through, if ever. */
                [WORKER_EVENT_START_TIMEOUT] = KILL,
                [WORKER_EVENT_STUCK] = KILL,
                [WORKER_EVENT_STOP_NOW] = KILL,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_TERMINATING] = {
                [WORKER_EVENT_RETIRE] = RETIRE,
                [WORKER_EVENT_KILL_TIMEOUT] = {WORKER_KILLING, WORKER_ACTION_RELAY_KILL},
                [WORKER_EVENT_REQUEST_ENDED] = {WORKER_READY},
                [WORKER_EVENT_STOP_NOW] = KILL,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_KILLING] = {
                [WORKER_EVENT_RETIRE] = RETIRE,
                /* The handler's group got KILL and the request is not over: the worker does not relay. */
                [WORKER_EVENT_KILL_TIMEOUT] = KILL,
                [WORKER_EVENT_REQUEST_ENDED] = {WORKER_READY},
                [WORKER_EVENT_STOP_NOW] = KILL,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_GONE] = {[WORKER_EVENT_EXITED] = {.action = WORKER_ACTION_NONE}}, /* nothing wakes the dead */
};
static_assert(ELEMENTS(table) == WORKER_STATE_COUNT, "a state without a row");

struct worker_transition worker_fsm_step(enum worker_state state, enum worker_event event, bool retired)
{
        assert((unsigned)state < WORKER_STATE_COUNT && (unsigned)event < WORKER_EVENT_COUNT);

        const struct cell cell = table[state][event];
        struct worker_transition transition = {.next = cell.to ? cell.to : state, .action = cell.action};

        /* A door that was closed stays closed: whatever leads to READY ends in RETIRING. */
        if (retired && cell.to == WORKER_READY)
                transition.next = WORKER_RETIRING;
        return transition;
}

static const char *const state_names[] = {
        [WORKER_STARTING] = "starting",       [WORKER_READY] = "ready",
        [WORKER_DETACHED] = "detached",       [WORKER_RETIRING] = "retiring",
        [WORKER_TERMINATING] = "terminating", [WORKER_KILLING] = "killing",
        [WORKER_GONE] = "gone",
};
static_assert(ELEMENTS(state_names) == WORKER_STATE_COUNT, "a state without a name");

const char *worker_state_name(enum worker_state state)
{
        return (unsigned)state < WORKER_STATE_COUNT ? state_names[state] : "unknown";
}

static const char *const event_names[] = {
        [WORKER_EVENT_READY] = "ready",
        [WORKER_EVENT_RETIRE] = "retire",
        [WORKER_EVENT_DETACH] = "detach",
        [WORKER_EVENT_REQUEST_TIMEOUT] = "request timeout",
        [WORKER_EVENT_KILL_TIMEOUT] = "kill timeout",
        [WORKER_EVENT_REQUEST_ENDED] = "request ended",
        [WORKER_EVENT_START_TIMEOUT] = "start timeout",
        [WORKER_EVENT_STUCK] = "stuck",
        [WORKER_EVENT_STOP_NOW] = "stop now",
        [WORKER_EVENT_EXITED] = "exited",
};
static_assert(ELEMENTS(event_names) == WORKER_EVENT_COUNT, "an event without a name");

const char *worker_event_name(enum worker_event event)
{
        return (unsigned)event < WORKER_EVENT_COUNT ? event_names[event] : "unknown";
}
