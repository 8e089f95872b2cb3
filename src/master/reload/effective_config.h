/* The effective configuration: the running one with the overlays applied, that is, with the limits that `scale`,
 * SIGTTIN and SIGTTOU have set for each pool.
 *
 * Used to show it (the control command `config`), to compare a new configuration with it (a reload and its dry run),
 * and to add up the descriptors that all pools need. */
#pragma once

#include "logic/config/config.h"

struct pool_table;

/* Make a view of the `running` configuration, from which the pools and everything else are borrowed; an empty one if
 * `running` is NULL. Free it with effective_config_clear(), not config_clear(), within this turn of the loop. 0 or
 * -ENOMEM. */
int effective_config(const struct config *running, const struct pool_table *pools, struct config *ret);

void effective_config_clear(struct config *view);
