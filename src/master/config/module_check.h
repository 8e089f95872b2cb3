/* Whether a pool's workers could load its module. It is tried in a child with the pool's root directory and
 * credentials, because loading executes the module's constructors. Called by config_host alone. */
#pragma once

#include "logic/config/config.h"
#include "os/process/file_user.h"

struct text;

/* Try to load the pool's module, or the object of the builtin `status`, as `user`. 0; -errno with an explanation.
 * Waits, for a few seconds at most. */
int module_check(const struct pool_config *pool, const struct file_user *user, struct text *why);
