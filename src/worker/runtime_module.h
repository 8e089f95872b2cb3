/* The runtime of modules: a shared object that is loaded into the worker (prefork/module.h) and serves in its process.
 *
 * What must stay true: nothing of the module is loaded or executed before the worker has dropped its credentials. */
#pragma once

#include "worker/runtime.h"

/* prepare() loads the module and has it prepare itself. -errno, with a reason in the log: it cannot be loaded, or its
 * init() has failed. */
extern const struct runtime_ops runtime_module;
