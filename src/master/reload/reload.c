#include "master/reload/reload.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "logic/config/config_options.h"
#include "logic/policy/reload_changes.h"
#include "master/reload/effective_config.h"
#include "master/reload/listener_moves.h"

/* Run phase one and, if it succeeds, phase two. */
static int replace(const struct reload *reload, struct reload_context *context, struct reload_plan *plan,
                   struct reload_changes *changes)
{
        struct config *old = context->old_config;

        int r = reload_diff(context->effective, context->new_config, plan, context->problems);
        if (r == 0 && problem_list_refuses(context->problems))
                r = -EINVAL;
        listener_moves_revise(reload->pools, plan);
        if (r == 0 && changes)
                r = reload_changes_of(plan, old ? &old->master : NULL, &context->new_config->master, changes);
        if (r == 0)
                r = reload_participants_prepare(&reload->participants, context);
        if (r == 0)
                reload_participants_commit(&reload->participants, context);
        return r;
}

static void drop(struct config *config)
{
        config_clear(config);
        free(config);
}

static int replace_or_drop(const struct reload *reload, struct reload_context *context, struct reload_plan *plan,
                           struct reload_changes *changes)
{
        int r = replace(reload, context, plan, changes);

        if (r == -ENOMEM)
                problem_add(context->problems, NULL, 0, "out of memory");
        if (r < 0)
                drop(context->new_config);
        return r;
}

int reload_apply(const struct reload *reload, struct config *config, struct problem_list *problems,
                 struct reload_changes *changes)
{
        _cleanup_(effective_config_clear) struct config effective = {0};
        _cleanup_(reload_plan_clear) struct reload_plan plan = {0};
        struct reload_context context = {.effective = &effective,
                                         .old_config = *reload->config,
                                         .new_config = config,
                                         .plan = &plan,
                                         .problems = problems};

        if (effective_config(context.old_config, reload->pools, &effective) == 0)
                return replace_or_drop(reload, &context, &plan, changes);
        problem_add(problems, NULL, 0, "out of memory");
        drop(config);
        return -ENOMEM;
}
