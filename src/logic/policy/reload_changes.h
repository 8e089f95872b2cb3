/* What a reload changes, for people: a reload plan in words, which outlives the configurations it was made from. Pure.
 *
 * The reply to `reload` and `reload --dry-run`. */
#pragma once

#include "base/words.h"
#include "logic/policy/reload_diff.h"

struct reload_change {
        enum reload_verb verb;
        char *pool;
        struct words options; /* the names of those that differ */
};

struct reload_changes {
        struct reload_change *pools;
        size_t count;
        struct words master_options; /* of [preforkd] */
};

/* Take down what the plan says; `old_master` may be NULL (the first configuration). 0 or -ENOMEM. To be ended by
 * reload_changes_clear(), which is fine with zeroed ones. */
int reload_changes_of(const struct reload_plan *plan, const struct master_config *old_master,
                      const struct master_config *new_master, struct reload_changes *ret);

void reload_changes_clear(struct reload_changes *changes);
