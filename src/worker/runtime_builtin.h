/* The runtime of builtin handlers: modules that are linked into the program (builtin/). */
#pragma once

#include "worker/runtime.h"

/* prepare() has the handler prepare itself. -ENOENT: there is none of that name; otherwise -errno, with a reason in the
 * log. */
extern const struct runtime_ops runtime_builtin;
