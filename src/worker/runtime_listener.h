/* The runtime of programs that accept connections themselves: the worker executes the program in its place, which keeps
 * its pid and is the master's child, with the listeners as systemd passes them (sd_listen_fds(3)) or as descriptor 0.
 *
 * What must stay true: the program gets the listeners and, if it reports, its place in the scoreboard, and no other
 * descriptor; a worker that cannot execute it says why, as others do. */
#pragma once

#include "worker/runtime.h"

/* prepare() finds the program. -ENOENT, -EACCES: there is no such program, or the pool's user cannot execute it;
 * -ENOMEM. become(): -errno of execve(2), or of a step before it. */
extern const struct runtime_ops runtime_listener;
