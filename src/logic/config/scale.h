/* New limits for a running pool, until the next reload: the running configuration with some of its options set anew.
 * Pure.
 *
 * Called by the control command `scale`. The result is a whole configuration that was checked as every other one, so
 * that the reload code can take it over; what the file says comes back with the next reload by itself. */
#pragma once

#include <stddef.h>

#include "logic/config/config.h"

/* Copy `running` and set the options `KEY=VALUE` of the pool; `min_spare`, `max_spare`, `start` and `max` will do for the
 * numbers of workers. Only options that apply in place are taken. What is wrong, the rules between options included, is
 * added to `problems` (no warnings: they were given when the files were read), and *ret stays NULL. 0 or -ENOMEM. */
int config_scale(const struct config *running, const char *pool_name, char *const *settings, size_t count,
                 const struct config_context *context, struct config **ret, struct problem_list *problems);
