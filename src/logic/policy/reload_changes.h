/* What a reload changes, in a form for users: a copy of a reload plan that outlives the configurations it was made
 * from. Pure.
 *
 * It becomes the reply to `reload` and `reload --dry-run`. */
#pragma once

#include "base/words.h"
#include "logic/policy/reload_diff.h"

struct reload_change {
        enum reload_verb verb;
        char *pool;
        struct words options; /* the names of those that differ */
        struct words files;   /* of the handler, that were replaced */
};

struct reload_changes {
        struct reload_change *pools;
        size_t count;
        struct words master_options; /* of [preforkd] */
};

/* Copy the plan, and list the options of [preforkd] that differ; `old_master` may be NULL (first configuration). 0 or
 * -ENOMEM. Free with reload_changes_clear(), which accepts a zeroed struct. */
int reload_changes_of(const struct reload_plan *plan, const struct master_config *old_master,
                      const struct master_config *new_master, struct reload_changes *ret);

void reload_changes_clear(struct reload_changes *changes);
