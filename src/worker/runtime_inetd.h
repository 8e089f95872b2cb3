/* The runtime of inetd-style handlers: a program with the connection on stdin and stdout, one process a connection,
 * executed, waited for and, on order, signalled.
 *
 * What must stay true: the worker signals only the process group of a handler it has not reaped. */
#pragma once

#include "worker/runtime.h"

/* prepare() finds the program and lays out its environment and limits: -ENOENT, -EACCES (no such program, or not executable
 * by the pool's user), -ENOMEM. serve() fails when the program could not be executed. */
extern const struct runtime_ops runtime_inetd;
