/* The parts of the state that an upgrade hands over: the list of all of them, and those of the daemon itself.
 *
 * The parts of the modules stand beside their structures. */
#pragma once

#include "master/state/state_part.h"

struct daemon;

/* List them: in the order of what is needed of one another, the configuration before everything that goes by it. */
void state_parts_list(struct daemon *daemon, struct state_parts *ret);
