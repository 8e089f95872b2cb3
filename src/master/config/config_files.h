/* The files of a configuration: which there are, and what is in them.
 *
 * Called by config_reader alone. What must stay true: what cannot be read is a problem, and never nothing; a name is
 * taken literally; and no file is waited for longer than a moment, so that a FIFO is a problem that has a name. */
#pragma once

#include "logic/config/config.h"

/* Parse `main_file`, then pools.d/<name>.conf beside it in the order of their names' bytes. A pools.d that does not
 * exist is no problem. As root, files and directories that others may write are warned about. 0 or -ENOMEM. */
int config_files_read(struct config *config, const char *main_file, struct problem_list *problems);
