/* The effective configuration: the running one, in which each pool has the limits that `scale`, SIGTTIN and SIGTTOU
 * have laid over it.
 *
 * For whoever shows it (the control command `config`), compares a new one with it (a reload, and its dry run), or adds
 * up what all pools need. */
#pragma once

#include "logic/config/config.h"

struct pool_table;

/* A view of the `running` configuration, whose pools are borrowed as everything else in it; empty if that is NULL.
 * Ended by effective_config_clear(), not by config_clear(), within this turn of the loop. 0 or -ENOMEM. */
int effective_config(const struct config *running, const struct pool_table *pools, struct config *ret);

void effective_config_clear(struct config *view);
