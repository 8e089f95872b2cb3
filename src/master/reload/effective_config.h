/* The configuration in force: the running one, with what SIGTTIN and SIGTTOU have made of it until the next reload.
 *
 * For whoever shows it (the control command `config`) or compares a new one with it (reload, and its dry run). What
 * `scale` changes needs nothing of this: it makes another running configuration. */
#pragma once

#include "logic/config/config.h"

struct pool_table;

/* A view: pools of its own with their numbers of workers, everything else borrowed from the `running`
 * configuration, which must outlive it; empty if that is NULL. To be given back by effective_config_clear(), not by config_clear().
 * 0 or -ENOMEM. */
int effective_config(const struct config *running, const struct pool_table *pools, struct config *ret);

void effective_config_clear(struct config *view);
