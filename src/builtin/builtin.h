/* Builtin handlers: modules (prefork/module.h) that are linked into the program. */
#pragma once

#include "prefork/module.h"

/* The builtin handler of that name, one of logic/config/builtins; NULL: there is none, or it is in an object of its own
 * (os/process/status_object). */
const struct prefork_module *builtin_find(const char *name);
