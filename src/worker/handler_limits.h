/* The resource limits of a handler's process: the configured ones, and what preforkd itself was started with.
 *
 * Used by the runtimes of programs. The worker keeps its own limits; it has raised the hard ones before it dropped its
 * privileges (worker_setup). */
#pragma once

#include "logic/protocol/worker_plan.h"
#include "os/process/spawn.h"

struct handler_limits {
        struct spawn_limit items[LIMIT_COUNT];
        size_t count;
};

/* If limit_nofile is not set, the limit is the one that preforkd was started with, because the master has raised its
 * own and a program that uses select(2) needs the small one. */
void handler_limits_plan(const struct worker_plan *plan, struct handler_limits *ret);

/* Set them for this process. 0 or -errno of setrlimit(2). */
int handler_limits_apply(const struct handler_limits *limits);
