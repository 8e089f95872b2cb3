#include "master/reload/reload_check.h"

#include <string.h>

#include "base/cleanup.h"
#include "logic/policy/reload_changes.h"
#include "logic/policy/reload_diff.h"
#include "master/control/control_socket.h"
#include "master/manager/fd_store.h"
#include "master/pool/listener_set.h"
#include "master/pool/pool.h"
#include "master/reload/effective_config.h"
#include "master/reload/fd_budget.h"
#include "master/reload/listener_moves.h"

/* Nothing has to be opened for it. */
static bool is_at_hand(const struct daemon *daemon, struct pool *running, const struct listen_address *address)
{
        return (running && listener_set_find(&running->listeners, address->text)) ||
               listener_moves_find(daemon, running, address);
}

/* The listeners that the step would open. What is wrong with them is in the problems. */
static void try_step(const struct daemon *daemon, const struct reload_step *step, struct problem_list *problems)
{
        struct pool *running = step->old_pool ? pool_table_find(&daemon->pools, step->old_pool->name) : NULL;

        if (step->verb != RELOAD_ADD && step->verb != RELOAD_REBIND)
                return;
        for (size_t i = 0; i < step->new_pool->listen.count; i++) {
                const struct listen_address *address = &step->new_pool->listen.items[i];
                if (!is_at_hand(daemon, running, address) &&
                    fd_store_try(daemon->keeper, step->new_pool, address, problems) == 0)
                        listener_set_try(step->new_pool, address, problems);
        }
}

void reload_check(struct daemon *daemon, const struct config *config, struct problem_list *problems,
                struct reload_changes *changes)
{
        _cleanup_(effective_config_clear) struct config running = {0};
        _cleanup_(reload_plan_clear) struct reload_plan plan = {0};

        int r = effective_config(daemon, &running);
        if (r == 0)
                r = reload_diff(&running, config, &plan, problems);
        if (r == 0)
                r = reload_changes_of(&plan, &running.master, &config->master, changes);
        if (r < 0)
                problem_add(problems, NULL, 0, "%s", strerror(-r));
        if (problem_list_refuses(problems)) /* as in a reload: the rest would speak of a plan that is none */
                return;
        fd_store_check_unused(daemon->keeper, config, false, problems);
        fd_budget_try(daemon, config, problems);
        control_try(daemon->control, &config->master, problems);
        for (size_t i = 0; i < plan.count; i++)
                try_step(daemon, &plan.steps[i], problems);
}
