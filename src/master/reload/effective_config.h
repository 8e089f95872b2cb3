/* The configuration in force: the running one, with what SIGTTIN and SIGTTOU have made of it until the next reload.
 *
 * For whoever shows it (the control command `config`) or compares a new one with it (reload, and its dry run). What
 * `scale` changes needs nothing of this: it makes another running configuration. */
#pragma once

#include "logic/config/config.h"

struct daemon;

/* A view: pools of its own with their numbers of workers, everything else borrowed from master->config, which must
 * outlive it. Empty before the first configuration. To be given back by effective_config_clear(), not by config_clear().
 * 0 or -ENOMEM. */
int effective_config(const struct daemon *daemon, struct config *ret);

void effective_config_clear(struct config *view);
