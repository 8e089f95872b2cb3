#include "logic/policy/reload_changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"

static int add_step(struct reload_changes *changes, const struct reload_step *step)
{
        struct reload_change *change = &changes->pools[changes->count];
        const char *file;
        size_t at = 0;
        int r = 0;

        change->verb = step->verb;
        change->pool = strdup(step->new_pool ? step->new_pool->name : step->old_pool->name);
        if (!change->pool)
                return -ENOMEM;
        changes->count++;
        for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++)
                if (step->changed[i])
                        r = words_add(&change->options, pool_options[i].name);
        while (r == 0 && (file = reload_step_next_file(step, &at)))
                r = words_add(&change->files, file);
        return r;
}

int reload_changes_of(const struct reload_plan *plan, const struct master_config *old_master,
                      const struct master_config *new_master, struct reload_changes *ret)
{
        struct reload_changes changes = {.pools = calloc(plan->count + 1, sizeof(*changes.pools))};
        int r = changes.pools ? 0 : -ENOMEM;

        for (size_t i = 0; i < plan->count && r == 0; i++)
                r = add_step(&changes, &plan->steps[i]);
        for (int i = 0; i < MASTER_OPTION_COUNT && r == 0 && old_master; i++)
                if (!master_options[i].not_built && !option_value_equal(&master_options[i], old_master, new_master))
                        r = words_add(&changes.master_options, master_options[i].name);
        if (r < 0) {
                reload_changes_clear(&changes);
                return r;
        }
        *ret = changes;
        return 0;
}

void reload_changes_clear(struct reload_changes *changes)
{
        for (size_t i = 0; i < changes->count; i++) {
                free(changes->pools[i].pool);
                words_clear(&changes->pools[i].options);
                words_clear(&changes->pools[i].files);
        }
        free(changes->pools);
        words_clear(&changes->master_options);
        *changes = (struct reload_changes){0};
}
