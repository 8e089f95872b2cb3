/* What pools say to clients, where it stands in files. In the child that reads the configuration, because files can
 * hang. */
#pragma once

#include "logic/config/config.h"

/* Read the files that `full_response` and `banner` name. Files that cannot be used are problems. 0 or -ENOMEM. */
int config_messages_complete(struct config *config, struct problem_list *problems);
