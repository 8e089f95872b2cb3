/* The environments of pools: what environment files and preforkd's own environment add to them. In the child that reads
 * the configuration, because files can hang. */
#pragma once

#include "logic/config/config.h"

/* Read the files of environment_file, whose variables replace those of `environment`, and add those of pass_environment
 * that neither has. Files that cannot be used are problems. Called once, before accounts add their variables. 0 or
 * -ENOMEM. */
int config_environment_complete(struct config *config, struct problem_list *problems);
