/* agent POOL: answers HAProxy's agent-check with what the master says of a pool, in one line.
 *
 * What must stay true: at most one line an answer; a master that does not answer is not waited for longer than the
 * patience, and then nothing is said, which changes nothing at the balancer: the pool's workers accept without the
 * master. */
#pragma once

#include "prefork/module.h"

extern const struct prefork_module builtin_agent;

/* Before init(): the worker's socket to the master (logic/protocol/status_link), which stays the caller's. */
void builtin_agent_attach(int status_fd);
