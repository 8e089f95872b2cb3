/* The policy of deadlines: of starting, of requests, of escalations, of retirement. Pure.
 *
 * Looked at when one may have passed; workers wake the master at the beginning of a request only while no deadline of a
 * request is armed (levels.notify_busy). What must stay true: a deadline is met once, because it leads to another
 * state; and an order to a worker names the request that was too long. */
#pragma once

struct turn;

void deadline_decide(struct turn *turn);
