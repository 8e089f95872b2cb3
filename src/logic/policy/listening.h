/* The listening policy: when a pool opens addresses for which it has no listener and puts damaged listeners right, and
 * what is done about each. Pure. The first of the policies of a pool's turn.
 *
 * A worker shares its listeners with the master, so it may shut them down or change them. What must stay true: however
 * often a process of the pool does that, the master acts at most once in restart_delay_min, and ever more rarely. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What then happens to the pool, for people. */
#define LISTENING_WAITS "the pool waits for it (partial_start)"

struct listening_state;
struct turn;

/* A listener as it was found. */
struct listening_facts {
        bool listens;     /* clients can connect */
        bool damaged;     /* something about it is not as it was opened */
        bool is_passed;   /* it belongs to a socket unit: only the service manager can open it */
        bool is_abstract; /* the name is taken as long as a process has the socket */
};

enum listening_remedy {
        REMEDY_NONE,
        REMEDY_MEND,    /* put right what can be put right on the open socket */
        REMEDY_REOPEN,  /* close it, then open another */
        REMEDY_REPLACE, /* open another beside it, and let it drain */
        REMEDY_COUNT
};

enum listening_remedy listening_remedy_of(const struct listening_facts *facts);

/* May a configuration apply although an address of a pool cannot be opened, so that the pool waits for it? Not if it
 * would take its last listener from a pool that is `reachable` now. `left`: the listeners that it would have. */
bool listening_may_wait(bool partial_start, bool reachable, size_t left);

/* Somebody has asked for it: the next attempt need not wait. */
void listening_hurry(struct listening_state *state);

void listening_decide(struct turn *turn);
