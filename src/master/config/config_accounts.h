/* Resolves the users and groups of a configuration: names become ids, and the groups and variables of each user (HOME,
 * SHELL) are filled in. Called by config_reader. Look-ups may block, so it never runs in the master itself. */
#pragma once

#include "logic/config/config.h"

/* Resolve control_group and the accounts of every pool, and complete the pools' environments. Unknown names are added
 * to `problems`. 0 or -ENOMEM. */
int config_accounts_resolve(struct config *config, struct problem_list *problems);
