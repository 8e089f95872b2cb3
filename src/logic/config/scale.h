/* New limits for a running pool, until the next reload: the running configuration with other values for some options.
 * Pure.
 *
 * Called by the control command `scale`. The result is a whole configuration, checked like any other, so that the
 * reload code can apply it. The next reload brings back what the files say. */
#pragma once

#include <stddef.h>

#include "logic/config/config.h"

/* Copy `running` and set the options `KEY=VALUE` of the pool; `min_spare`, `max_spare`, `start` and `max` are
 * short for the numbers of workers. Only options that apply in place are accepted. Errors, those of rules between
 * options included, are added to `problems`, and *ret stays NULL then; warnings are left out: they were given when the
 * files were read. 0 or -ENOMEM. */
int config_scale(const struct config *running, const char *pool_name, char *const *settings, size_t count,
                 const struct config_context *context, struct config **ret, struct problem_list *problems);
