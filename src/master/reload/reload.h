/* The reload: replaces the running configuration by another, in two phases. Phase one opens what is new (listeners,
 * scoreboards, descriptors, the log) and can be undone; phase two swaps and cannot fail. The start of the daemon is a
 * reload from nothing. */
#pragma once

#include "logic/config/config.h"
#include "master/daemon/daemon.h"

struct pool;
struct reload_changes;

/* Take over `config` (owned from here on, also on failure). 0: it is the running one now, and `changes`, unless NULL, say
 * what that meant to each pool. -errno: nothing has changed and `problems` say why. */
int reload_apply(struct daemon *daemon, struct config *config, struct problem_list *problems,
                 struct reload_changes *changes);

/* The same for the running configuration with other limits for `pool`: what SIGTTIN and SIGTTOU have made of the other
 * pools stays. */
int reload_scale(struct daemon *daemon, const struct pool *pool, struct config *config, struct problem_list *problems);

/* Where the log goes for a value of log_target. */
enum log_destination reload_log_destination(int target);
