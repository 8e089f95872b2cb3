/* The runtime of inetd-style handlers: for each connection it executes a program with the connection on stdin and
 * stdout, waits for its end, and passes the master's orders to it as signals.
 *
 * What must stay true: the worker signals only a handler, and its process group, that it has not reaped. */
#pragma once

#include "worker/runtime.h"

/* prepare() finds the program and prepares its environment and limits. -ENOENT, -EACCES: there is no such program, or
 * the pool's user cannot execute it; -ENOMEM. serve() fails if the program cannot be executed. */
extern const struct runtime_ops runtime_inetd;
