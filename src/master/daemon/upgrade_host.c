#include "master/daemon/upgrade_host.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/control/control_outcome.h"
#include "master/control/control_socket.h"
#include "master/daemon/private.h"
#include "master/daemon/state_parts.h"
#include "master/manager/manager_link.h"
#include "master/manager/readiness.h"
#include "master/pool/launcher_template.h"
#include "master/pool/pool.h"
#include "master/reload/reload_queue.h"
#include "master/upgrade/upgrade.h"
#include "master/upgrade/way_back.h"

/* An upgrade would lose a configuration that is being read, and the replies to the clients that wait for it; and
 * workers that templates are about to make. */
static bool is_busy(void *context)
{
        struct daemon *daemon = context;

        if (reload_queue_is_busy(daemon->reloads))
                return true;
        daemon->template_traffic.held = true;
        return daemon->template_traffic.in_flight > 0;
}

/* The last moment before the execution. */
static int set_environment(void *context)
{
        const struct daemon *daemon = context;

        for (size_t i = 0; i < daemon->pools.count; i++)
                launcher_template_leave(daemon->pools.items[i]);
        return manager_link_set_environment(daemon->manager);
}

static void clear_environment(void *context)
{
        (void)context;
        manager_link_clear_environment();
}

void upgrade_host_release(struct daemon *daemon)
{
        if (!daemon->template_traffic.held)
                return;
        daemon->template_traffic.held = false;
        for (size_t i = 0; i < daemon->pools.count; i++)
                pool_touch(daemon->pools.items[i]);
}

static void on_failure(void *context, const struct problem_list *problems)
{
        struct daemon *daemon = context;
        const struct control_outcome outcome = {.what = CONTROL_WAIT_UPGRADE,
                                                .load = UINT64_MAX,
                                                .problems = problems,
                                                .message = "not upgraded: the running program goes on"};

        upgrade_host_release(daemon);
        log_problems(problems);
        log_event(MESSAGE_ID_UPGRADE_REFUSED, LOG_ERR, "%s", outcome.message);
        control_outcome_tell(&daemon->control->clients, &outcome);
}

int upgrade_host_open(struct daemon *daemon)
{
        const struct upgrade_setup setup = {.loop = daemon->loop,
                                            .reaper = daemon->reaper,
                                            .parts = &daemon->state_parts,
                                            .program = daemon->setup->program,
                                            .arguments = daemon->setup->arguments,
                                            .version = &daemon->config_serial,
                                            .host = {.context = daemon,
                                                     .is_busy = is_busy,
                                                     .set_environment = set_environment,
                                                     .clear_environment = clear_environment,
                                                     .failed = on_failure}};

        state_parts_list(daemon, &daemon->state_parts);
        return upgrade_new(&setup, &daemon->upgrade);
}

void upgrade_host_begin(struct daemon *daemon, const char *path, const char *by)
{
        if (daemon->state == DAEMON_RUNNING)
                upgrade_begin(daemon->upgrade, path, by);
        else
                log_notice("not upgrading (%s): not running", by);
}

void upgrade_host_go_back(struct daemon *daemon)
{
        way_back_go(&daemon->setup->take_over, daemon->setup->program, daemon->setup->argv);
}

static void tell_upgraded(struct daemon *daemon, const struct problem_list *problems)
{
        const struct control_outcome outcome = {.what = CONTROL_WAIT_UPGRADE,
                                                .load = UINT64_MAX,
                                                .accepted = true,
                                                .from = daemon->upgraded_from,
                                                .program = daemon->setup->program,
                                                .problems = problems};

        readiness_upgraded(daemon->readiness, daemon->upgraded_from);
        control_outcome_tell(&daemon->control->clients, &outcome);
}

/* The other program was executed and has executed this one again. */
static void tell_back(struct daemon *daemon)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        problem_add(&problems, NULL, 0, "the other program was executed and could not take over");
        on_failure(daemon, &problems);
}

void upgrade_host_take_over(struct daemon *daemon)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        int r = upgrade_take_over(&daemon->state_parts, &daemon->setup->take_over, &problems);
        log_problems(&problems);
        if (r < 0) {
                log_error("cannot take over: trying again, or going back to the previous program");
                upgrade_host_go_back(daemon);
                log_error("cannot take over: ending; workers finish their requests");
                _exit(MASTER_EXIT_FAILURE);
        }
        handover_begin(&daemon->state_parts);
        if (daemon->setup->take_over.is_back)
                tell_back(daemon);
        else
                tell_upgraded(daemon, &problems);
        reload_queue_again(daemon->reloads);
}
