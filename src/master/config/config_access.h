/* Completes the access rules of a configuration: reads lists, and looks names up. Called by config_reader. Files and
 * look-ups may block, so it never runs in the master itself. */
#pragma once

#include "logic/config/config.h"

/* Make the rules of every pool of what its `allow` and `deny` name. A list has one client a line, as those options take
 * them but without further lists; `#` begins a comment. What cannot be read or found is added to `problems`. 0 or
 * -ENOMEM. */
int config_access_resolve(struct config *config, struct problem_list *problems);
