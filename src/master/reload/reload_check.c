#include "master/reload/reload_check.h"

#include <string.h>

#include "base/cleanup.h"
#include "logic/policy/reload_changes.h"
#include "master/reload/effective_config.h"
#include "master/reload/listener_moves.h"

void reload_check(const struct reload *reload, struct config *config, struct problem_list *problems,
                  struct reload_changes *changes)
{
        _cleanup_(effective_config_clear) struct config effective = {0};
        _cleanup_(reload_plan_clear) struct reload_plan plan = {0};
        const struct reload_context context = {.effective = &effective,
                                               .old_config = *reload->config,
                                               .new_config = config,
                                               .plan = &plan,
                                               .problems = problems};

        int r = effective_config(context.old_config, reload->pools, &effective);
        if (r == 0)
                r = reload_diff(&effective, config, &plan, problems);
        listener_moves_revise(reload->pools, &plan);
        if (r == 0)
                r = reload_changes_of(&plan, &effective.master, &config->master, changes);
        if (r < 0)
                problem_add(problems, NULL, 0, "%s", strerror(-r));
        if (!problem_list_refuses(problems)) /* as in a reload: a refused plan is not prepared */
                reload_participants_check(&reload->participants, &context);
}
