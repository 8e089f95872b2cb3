/* The policy of recycling: workers that have reached a limit of theirs (number of requests, age, memory) go and are
 * replaced; the replacement first where the pool has room, and never more than max_recycling at once. Pure.
 *
 * What must stay true: those that ask are taken in the order in which their requests began, and a worker that needs a
 * replacement never goes without one. If the replacement cannot be launched now (workers that are ending still hold the
 * places of processes), if its launch fails, or if it ends before it was ready, the worker serves on and asks again.
 * While the pool backs off nobody's recycling begins. */
#pragma once

struct turn;

void recycle_decide(struct turn *turn);
