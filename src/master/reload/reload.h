/* The reload: replaces the running configuration by another, in two phases over a list of participants (see there). The
 * start of the daemon is a reload from nothing. */
#pragma once

#include "logic/config/config.h"
#include "master/reload/participant.h"

struct pool_table;
struct reload_changes;

/* What a reload works on; all of it is borrowed. */
struct reload {
        struct config *const *config; /* where the running configuration is found; NULL there: none yet */
        const struct pool_table *pools;
        struct reload_participants participants; /* the last of them makes the new configuration the running one */
};

/* Take over `config` (owned from here on, also on failure). 0: it is the running one now, and `changes`, unless NULL,
 * say what that meant to each pool. -errno: nothing has changed and `problems` say why. */
int reload_apply(const struct reload *reload, struct config *config, struct problem_list *problems,
                 struct reload_changes *changes);
