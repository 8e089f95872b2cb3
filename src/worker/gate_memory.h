/* The memory of a pool's gate (lib/gate), for workers that have executed their handler: who may come in, who announces
 * others, and what they are told. Called by runtime_template and runtime_listener. */
#pragma once

#include <stdbool.h>

#include "logic/config/config.h"

/* Does the pool ask anything of its clients for which it must be there? */
bool gate_memory_is_needed(const struct pool_config *pool);

/* Make it, sealed. 0 with a descriptor that the caller owns, or none (-1) if it is not needed; -errno. */
int gate_memory_open(const struct pool_config *pool, int *ret_fd);
