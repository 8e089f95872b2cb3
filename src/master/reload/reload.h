/* The reload: replaces the running configuration by another, in two phases over a list of participants (see
 * participant.h). The start of the daemon is a reload without a running configuration. Called by reload_queue. */
#pragma once

#include "logic/config/config.h"
#include "master/reload/participant.h"

struct pool_table;
struct reload_changes;

/* What a reload works on; all members are borrowed. */
struct reload {
        struct config *const *config; /* points to the running configuration, or to NULL before the first */
        const struct pool_table *pools;
        struct reload_participants participants; /* the last one makes the new configuration the running one */
};

/* Make `config` the running configuration; it is owned from here on, also on failure. 0: done; *changes, unless NULL,
 * lists the changes of each pool. -errno: nothing has changed, and `problems` say why. */
int reload_apply(const struct reload *reload, struct config *config, struct problem_list *problems,
                 struct reload_changes *changes);
