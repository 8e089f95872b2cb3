/* Users and groups of a configuration: names become ids, and what a user brings along (groups, HOME, SHELL) is filled
 * in. Part of reading a configuration; look-ups may wait. */
#pragma once

#include "logic/config/config.h"

/* Resolve control_group and every pool's accounts, and complete its environment. 0 or -ENOMEM; names that are not known
 * are problems. */
int config_accounts_resolve(struct config *config, struct problem_list *problems);
