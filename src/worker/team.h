/* The team: the threads of a worker with threads_per_worker, one accept loop each.
 *
 * Called by worker_main, whose own thread serves nothing: it prepares, starts the team, and waits for its end. The
 * threads share the runtime, the listeners and the door; each has its slot, its acceptor and the state of its request.
 * What must stay true: the threads end together. The first that ends, whatever the reason, closes the door; the others
 * finish what they serve. A signal to the process reaches whom it concerns by lib/door and lib/orders. */
#pragma once

#include "worker/accept_loop.h"

struct team;

/* Make `plan->slots` threads that report in `board`, and wait until team_run() lets them serve. Call it after
 * orders_install() and before the door is installed, while the retire signal is blocked. 0; -EAGAIN: there is no room
 * for so many threads; -ENOMEM, -errno. On failure the caller ends the process. */
int team_start(const struct worker_plan *plan, struct prefork_scoreboard *board, struct team **ret);

/* Let the threads serve as `first` would; its acceptor, which is open, is the first one's, and accept_loop_prepare()
 * was not called for it. They report that they are ready. Returns when all have ended: the exit code of the worker as
 * accept_loop_run() has it, and *ret is the failure. 0 ≤; or -errno: the acceptors of the others could not be opened,
 * and nothing was served. */
int team_run(struct team *team, const struct accept_loop *first, struct worker_failure *ret);
