/* Whether the preload object can be loaded into a pool's program, for the options that need it, and whether the machine
 * has what they need; and what auto stands for, by the same checks. Called by config_host, in the configuration child.
 *
 * What must stay true: nothing is executed; what cannot be examined is accepted. */
#pragma once

#include "logic/config/config.h"
#include "os/process/executable.h"

struct text;

/* Check the program at `path`. 0: it can be loaded, or need not be; 1: it cannot, *ret_option is the option that needs
 * it, and `why` says what is expected instead; -ENOMEM. */
int preload_check(const struct pool_config *pool, const struct executable_place *place, const char *path,
                  enum pool_option *ret_option, struct text *why);

/* Decide what auto stands for. `path` NULL: the program is not known, and is taken for one that can be loaded into. The
 * same results: an explicit option can still need more than auto has. */
int preload_choose(struct pool_config *pool, const struct executable_place *place, const char *path,
                   enum pool_option *ret_option, struct text *why);
