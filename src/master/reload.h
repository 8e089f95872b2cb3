/* The reload: replaces the running configuration by another, in two phases. Phase one opens what is new (listeners,
 * scoreboards, descriptors, the log) and can be undone; phase two swaps and cannot fail. The start of the daemon is a
 * reload from nothing. */
#pragma once

#include "logic/config.h"
#include "master/master.h"

/* Take over `config` (owned from here on, also on failure). 0: it is the running one now. -errno: nothing has changed
 * and `problems` say why. */
int reload_apply(struct master *master, struct config *config, struct problem_list *problems);
