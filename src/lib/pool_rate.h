/* The rate of a pool: a worker holds the connection that it has accepted until rate_limit lets it pass. Called by
 * lib/gate.
 *
 * Each takes the next token that is not taken (base/rate_table), so they are served in their order, and nobody wakes
 * for nothing. What must stay true: no connection is lost. A worker that is to end waits for its token as well, but no
 * longer than RATE_LAST_HOLD_MS, or half of the time that a request may go on after the master's death, if that is
 * less. The token stays taken: those who come later wait for the next. */
#pragma once

#include "lib/slot.h"

/* Wait until the connection may be served. Meanwhile the worker reports PREFORK_THROTTLED, and is in the idle set: more
 * workers would serve nobody sooner. If the rate is changed, the next second sees it. */
void pool_rate_wait(struct slot *slot);
