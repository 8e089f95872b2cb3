/* The reload diff: which verb each pool gets when one configuration replaces another. Pure.
 *
 * Called by master/reload with the running and the new configuration; `reload --dry-run` prints the same list. */
#pragma once

#include "logic/config/config.h"

enum reload_verb {
        RELOAD_KEEP,   /* nothing changed */
        RELOAD_LIMITS, /* values that apply in place (EFFECT_IN_PLACE, EFFECT_LISTENER) */
        RELOAD_ROLL,   /* a new generation of workers, same listeners */
        RELOAD_REBIND, /* the set of listeners changed: a new generation, closing listeners drain */
        RELOAD_ADD,    /* a new pool */
        RELOAD_REMOVE, /* a pool that is no longer configured */
        RELOAD_VERB_COUNT
};

struct reload_step {
        enum reload_verb verb;
        const struct pool_config *old_pool; /* NULL for RELOAD_ADD */
        const struct pool_config *new_pool; /* NULL for RELOAD_REMOVE */
        bool changed[POOL_OPTION_COUNT];    /* which options differ (both pools present) */
        bool is_replaced;                   /* a file of the handler, whose options are the same */
};

struct reload_plan {
        struct reload_step *steps; /* pools of the new configuration in its order, then those that are removed */
        size_t count;
};

/* Compare. Changing `ipv6_only` of an address that stays, in any pool, would close a listener in use: it is reported as
 * a problem with the line of the new file. The plan points into both configurations, which must outlive it. 0 or
 * -ENOMEM. */
int reload_diff(const struct config *old_config, const struct config *new_config, struct reload_plan *ret,
                struct problem_list *problems);

/* The names of replaced files, one after the other; *at is 0 before the first. NULL: there are no more. */
const char *reload_step_next_file(const struct reload_step *step, size_t *at);

/* Append the names of the changed options and of replaced files, separated by ", ". 0 or -ENOMEM. */
struct text;
int reload_step_describe(const struct reload_step *step, struct text *text);

/* "keep", "limits", "roll", "rebind", "add", "remove". */
const char *reload_verb_name(enum reload_verb verb);

void reload_plan_clear(struct reload_plan *plan);
