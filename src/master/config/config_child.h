/* A configuration being read, by a child with a deadline: whatever hangs in it (an NFS mount, an LDAP look-up) hangs
 * there, not in the master. The child hands back the effective configuration in canonical form, or the problems. */
#pragma once

#include "logic/config/config.h"
#include "master/daemon/daemon.h"

struct config_child;

/* Called once, at a later turn of the loop. `config` is NULL when the configuration is refused; then `problems` say why.
 * Otherwise it is the callee's to keep, and `problems` are warnings. The load is freed afterwards. */
typedef void (*config_child_callback)(struct daemon *daemon, struct config *config, struct problem_list *problems);

/* Begin to read. 0 or -errno. */
int config_child_start(struct daemon *daemon, config_child_callback callback, struct config_child **ret);

/* Give up: kills the child, calls nobody. It stays master->load until the child has been reaped. NULL is fine. */
void config_child_cancel(struct config_child *load);

/* Free one whose child is nobody's any more; NULL is fine. */
void config_child_free(struct config_child *load);
