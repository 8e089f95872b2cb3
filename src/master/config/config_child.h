/* A configuration being read, by a child with a deadline: whatever hangs in it (an NFS mount, an LDAP look-up) hangs
 * there, not in the master. The child hands back the effective configuration in canonical form, or the problems. */
#pragma once

#include "logic/config/config.h"
#include "master/daemon/daemon.h"

struct config_load;

/* Called once, at a later turn of the loop. `config` is NULL when the configuration is refused; then `problems` say why.
 * Otherwise it is the callee's to keep, and `problems` are warnings. The load is freed afterwards. */
typedef void (*config_load_callback)(struct master *master, struct config *config, struct problem_list *problems);

/* Begin to read. 0 or -errno. */
int config_load_start(struct master *master, config_load_callback callback, struct config_load **ret);

/* Give up: kills the child, calls nobody. It stays master->load until the child has been reaped. NULL is fine. */
void config_load_cancel(struct config_load *load);

/* Free one whose child is nobody's any more; NULL is fine. */
void config_load_free(struct config_load *load);
