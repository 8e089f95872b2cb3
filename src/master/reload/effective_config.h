/* The configuration in force: the running one, with what SIGTTIN and SIGTTOU have made of it until the next reload.
 *
 * For whoever shows it (the control command `config`) or compares a new one with it (reload, and its dry run). What
 * `scale` changes needs nothing of this: it makes another running configuration. */
#pragma once

#include "logic/config/config.h"

struct master;

/* A view: pools of its own with their numbers of workers, everything else borrowed from master->config, which must
 * outlive it. Empty before the first configuration. To be given back by config_in_force_clear(), not by config_clear().
 * 0 or -ENOMEM. */
int config_in_force(const struct master *master, struct config *ret);

void config_in_force_clear(struct config *view);
