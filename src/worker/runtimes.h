/* The table of runtimes: the only place in worker/ that knows the handler types. Called by worker_main. */
#pragma once

#include "logic/config/config.h"
#include "worker/runtime.h"

/* The operations of a handler type. */
const struct runtime_ops *runtime_of(const struct pool_config *pool);
