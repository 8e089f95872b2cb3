/* Lists the parts of the state that an upgrade hands over, and defines those of the daemon itself.
 *
 * The part of every other module is defined beside its structure. */
#pragma once

#include "master/state/state_part.h"

struct daemon;

/* List the parts in order of dependency: the configuration comes before everything that depends on it. */
void state_parts_list(struct daemon *daemon, struct state_parts *ret);
