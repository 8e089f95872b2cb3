/* Who may come in to a pool: the rules, and the table that workers look clients up in. Pure.
 *
 * The child that reads a configuration completes the rules (master/config/config_access), because lists must be read
 * and names looked up; the canonical form carries them. Whoever has no such child, config_finish() makes them of words
 * that need neither. What must stay true: a pool whose rules are not known is refused, and never open. */
#pragma once

#include <stdbool.h>

#include "logic/config/access_rules.h"
#include "logic/config/access_builder.h"

struct pool_access {
        bool is_known; /* the rules are complete */
        struct access_rules rules;
        struct access_table *table; /* NULL: everybody may come in, or it is not made yet */
};

/* Take rules from the canonical form. 0; -EINVAL: these are none, and none are known; -ENOMEM. */
int pool_access_take(struct pool_access *access, const char *string);

void pool_access_clear(struct pool_access *access);
