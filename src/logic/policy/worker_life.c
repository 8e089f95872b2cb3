#include "logic/policy/worker_life.h"

#include <assert.h>

#include "base/cleanup.h"

/* One cell: the next state, the action for the master, and whether the worker counts as retired from then on. Nothing
 * leads back to WORKER_LAUNCHING, so its value, 0, means "stay": an omitted cell changes nothing. */
struct cell {
        enum worker_state to;
        enum worker_action action;
        bool closes;
};
static_assert(WORKER_LAUNCHING == 0, "an empty cell must mean: stay");
static_assert(WORKER_ACTION_NONE == 0, "an empty cell must mean: do nothing");

/* A table with one line per cell. */
/* clang-format off */
#define RETIRE {WORKER_RETIRING, WORKER_ACTION_SIGNAL_RETIRE, true}
#define CLOSE {.action = WORKER_ACTION_SIGNAL_RETIRE, .closes = true}
#define TERMINATE {WORKER_TERMINATING, WORKER_ACTION_RELAY_TERM}
#define END {WORKER_ENDING, WORKER_ACTION_END}
#define KILL {WORKER_KILLED, WORKER_ACTION_KILL}
#define FORGET {WORKER_GONE, WORKER_ACTION_FORGET}

static const struct cell table[][WORKER_EVENT_COUNT] = {
        [WORKER_LAUNCHING] = {
                [WORKER_EVENT_LAUNCHED] = {WORKER_STARTING},
                [WORKER_EVENT_LAUNCH_FAILED] = FORGET,
                /* There is no process to signal yet: it is signalled once it is launched. */
                [WORKER_EVENT_RETIRE] = {.closes = true},
                [WORKER_EVENT_START_TIMEOUT] = {WORKER_KILLED},
                [WORKER_EVENT_STOP_NOW] = {WORKER_KILLED},
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_STARTING] = {
                [WORKER_EVENT_READY] = {WORKER_READY},
                [WORKER_EVENT_RETIRE] = RETIRE,
                [WORKER_EVENT_START_TIMEOUT] = KILL,
                /* It may be ready without the master knowing, and have a handler. */
                [WORKER_EVENT_STOP_NOW] = END,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_READY] = {
                [WORKER_EVENT_RETIRE] = RETIRE,
                /* A detached worker is outside max_workers, so it must not take another request. */
                [WORKER_EVENT_DETACH] = {WORKER_DETACHED, WORKER_ACTION_SIGNAL_RETIRE, true},
                [WORKER_EVENT_REQUEST_TIMEOUT] = TERMINATE,
                [WORKER_EVENT_STOP_NOW] = END,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_DETACHED] = {
                [WORKER_EVENT_REQUEST_TIMEOUT] = TERMINATE,
                [WORKER_EVENT_REQUEST_ENDED] = {WORKER_RETIRING},
                [WORKER_EVENT_STUCK] = END,
                [WORKER_EVENT_STOP_NOW] = END,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_RETIRING] = {
                /* A retired worker with a long request holds a place that its replacement needs: it may detach too. */
                [WORKER_EVENT_DETACH] = {WORKER_DETACHED},
                [WORKER_EVENT_REQUEST_TIMEOUT] = TERMINATE,
                /* Retired while starting: the retire signal stays blocked until the worker is ready, if it ever is. */
                [WORKER_EVENT_START_TIMEOUT] = KILL,
                [WORKER_EVENT_STUCK] = END,
                [WORKER_EVENT_STOP_NOW] = END,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_TERMINATING] = {
                [WORKER_EVENT_RETIRE] = CLOSE,
                [WORKER_EVENT_KILL_TIMEOUT] = {WORKER_KILLING, WORKER_ACTION_RELAY_KILL},
                [WORKER_EVENT_REQUEST_ENDED] = {WORKER_READY},
                [WORKER_EVENT_STOP_NOW] = END,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_KILLING] = {
                [WORKER_EVENT_RETIRE] = CLOSE,
                /* The handler's group should have got KILL, and the request is not over: the worker does not relay
                 * signals. */
                [WORKER_EVENT_KILL_TIMEOUT] = END,
                [WORKER_EVENT_REQUEST_ENDED] = {WORKER_READY},
                [WORKER_EVENT_STOP_NOW] = END,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_ENDING] = {
                [WORKER_EVENT_NO_HANDLER] = KILL,
                [WORKER_EVENT_GRACE_OVER] = KILL,
                [WORKER_EVENT_STOP_NOW] = KILL,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_KILLED] = {
                [WORKER_EVENT_LAUNCHED] = {.action = WORKER_ACTION_KILL},
                [WORKER_EVENT_LAUNCH_FAILED] = FORGET,
                [WORKER_EVENT_EXITED] = FORGET,
        },
        [WORKER_GONE] = {[WORKER_EVENT_EXITED] = {.action = WORKER_ACTION_NONE}}, /* final: no event changes it */
};
/* clang-format on */
static_assert(ELEMENTS(table) == WORKER_STATE_COUNT, "a state without a row");

/* A retired worker stays retired: an event that would lead to WORKER_STARTING or WORKER_READY leads to WORKER_RETIRING
 * instead. A worker that was retired before it had a pid is sent the retire signal now. */
static struct cell with_closed_door(enum worker_state from, struct cell cell)
{
        if (cell.to != WORKER_READY && cell.to != WORKER_STARTING)
                return cell;
        cell.to = WORKER_RETIRING;
        cell.action = from == WORKER_LAUNCHING ? WORKER_ACTION_SIGNAL_RETIRE : cell.action;
        return cell;
}

enum worker_action worker_life_feed(struct worker_life *life, enum worker_event event, uint64_t now_ms)
{
        assert((unsigned)life->state < WORKER_STATE_COUNT && (unsigned)event < WORKER_EVENT_COUNT);

        struct cell cell = table[life->state][event];
        if (life->retired && event == WORKER_EVENT_RETIRE)
                return WORKER_ACTION_NONE;
        if (life->retired)
                cell = with_closed_door(life->state, cell);
        life->retired |= cell.closes;
        if (cell.to != WORKER_LAUNCHING) {
                life->state = cell.to;
                life->since_ms = now_ms;
        }
        return cell.action;
}

bool worker_life_is_starting(const struct worker_life *life)
{
        return life->state == WORKER_LAUNCHING || life->state == WORKER_STARTING;
}

bool worker_life_is_open(const struct worker_life *life)
{
        static const bool serves[WORKER_STATE_COUNT] = {
                [WORKER_LAUNCHING] = true,   [WORKER_STARTING] = true, [WORKER_READY] = true,
                [WORKER_TERMINATING] = true, [WORKER_KILLING] = true,
        };

        return serves[life->state] && !life->retired;
}

static const char *const state_names[] = {
        [WORKER_LAUNCHING] = "launching", [WORKER_STARTING] = "starting", [WORKER_READY] = "ready",
        [WORKER_DETACHED] = "detached",   [WORKER_RETIRING] = "retiring", [WORKER_TERMINATING] = "terminating",
        [WORKER_KILLING] = "killing",     [WORKER_ENDING] = "ending",     [WORKER_KILLED] = "killed",
        [WORKER_GONE] = "gone",
};
static_assert(ELEMENTS(state_names) == WORKER_STATE_COUNT, "a state without a name");

const char *worker_life_state_name(enum worker_state state)
{
        return (unsigned)state < WORKER_STATE_COUNT ? state_names[state] : "unknown";
}

static const char *const event_names[] = {
        [WORKER_EVENT_LAUNCHED] = "launched",
        [WORKER_EVENT_LAUNCH_FAILED] = "launch failed",
        [WORKER_EVENT_READY] = "ready",
        [WORKER_EVENT_RETIRE] = "retire",
        [WORKER_EVENT_DETACH] = "detach",
        [WORKER_EVENT_REQUEST_TIMEOUT] = "request timeout",
        [WORKER_EVENT_KILL_TIMEOUT] = "kill timeout",
        [WORKER_EVENT_REQUEST_ENDED] = "request ended",
        [WORKER_EVENT_START_TIMEOUT] = "start timeout",
        [WORKER_EVENT_STUCK] = "stuck",
        [WORKER_EVENT_STOP_NOW] = "stop now",
        [WORKER_EVENT_NO_HANDLER] = "no handler",
        [WORKER_EVENT_GRACE_OVER] = "grace over",
        [WORKER_EVENT_EXITED] = "exited",
};
static_assert(ELEMENTS(event_names) == WORKER_EVENT_COUNT, "an event without a name");

const char *worker_life_event_name(enum worker_event event)
{
        return (unsigned)event < WORKER_EVENT_COUNT ? event_names[event] : "unknown";
}
