/* What a start would find at the path of the log file: whether it can be opened, and who else could put something
 * there. Called by config_reader alone; may wait for file systems. */
#pragma once

#include "logic/config/config.h"

/* Check log_target of a finished configuration, whose accounts are resolved. A file that could not be opened, and a
 * directory on the way to it that a pool's user may write, are errors. 0 or -ENOMEM. */
int config_log_check(const struct config *config, struct problem_list *problems);
