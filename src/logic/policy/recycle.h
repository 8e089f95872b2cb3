/* The recycling policy: workers that have reached max_requests, max_worker_age or max_worker_memory end and are
 * replaced, at most max_recycling at a time. If the pool has room, the replacement is launched first. Pure.
 *
 * One of the policies of a pool's turn. What must stay true: workers that ask are taken in the order in which their
 * requests began, and a worker that needs a replacement never goes without one. If the replacement cannot be launched
 * now (workers that are ending count against the process limit), if its launch fails, or if it ends before it was
 * ready, the worker serves on and asks again. No recycling begins during back-off. */
#pragma once

struct turn;

void recycle_decide(struct turn *turn);
