#include "master/reload/reload_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/policy/reload_changes.h"
#include "master/config/config_child.h"
#include "master/control/control_outcome.h"
#include "master/manager/fd_store.h"
#include "master/manager/readiness.h"
#include "master/pool/pool.h"
#include "master/reload/reload.h"
#include "master/reload/reload_check.h"
#include "master/status/report.h"
#include "master/upgrade/upgrade.h"

static size_t count_listeners(const struct config *config)
{
        size_t count = 0;

        for (size_t i = 0; i < config->pool_count; i++)
                count += config->pools[i]->listen.count;
        return count;
}

/* The first configuration: without it there is nothing to run. */
static void on_first_config(struct master *master, struct config *config, struct problem_list *problems)
{
        int exit_code = MASTER_EXIT_CONFIG, r = -EINVAL;

        if (config && config->pool_count == 0) {
                report_problems(problems);
                config_clear(config);
                free(config);
                log_error("nothing to serve: the configuration has no pool");
                service_failed(master->service, ENOENT, NULL, "the configuration has no pool");
                master_stop(master, MASTER_EXIT_NOTHING, "nothing to serve");
                return;
        }
        if (config) {
                exit_code = MASTER_EXIT_FAILURE;
                r = reload_apply(master, config, problems, NULL);
                if (r < 0)
                        config = NULL;
        }
        report_problems(problems);
        if (!config) {
                log_error("not started");
                service_failed(master->service, -r, problems, "the configuration cannot be used");
                master_stop(master, exit_code, "the configuration cannot be used");
                return;
        }
        master->state = MASTER_RUNNING;
        log_notice("preforkd %s ready: %zu pool%s, %zu listener%s", PREFORKD_VERSION, config->pool_count,
                   config->pool_count == 1 ? "" : "s", count_listeners(config), count_listeners(config) == 1 ? "" : "s");
        keeper_settle(master->keeper);
        service_begin(master->service);
        config_update_again(master);
}

/* NULL, with a problem, in the place of a configuration that would leave nothing to serve. */
static struct config *refuse_empty(struct config *config, struct problem_list *problems)
{
        if (!config || config->pool_count > 0)
                return config;
        problem_add(problems, NULL, 0, "the configuration has no pool; to stop, send SIGTERM");
        config_clear(config);
        free(config);
        return NULL;
}

static void on_new_config(struct master *master, struct config *config, struct problem_list *problems)
{
        _cleanup_(reload_changes_clear) struct reload_changes changes = {0};

        config = refuse_empty(config, problems);
        if (config && reload_apply(master, config, problems, &changes) < 0)
                config = NULL;
        report_problems(problems);
        if (config)
                log_notice("reloaded: %zu pool%s", config->pool_count, config->pool_count == 1 ? "" : "s");
        else
                log_error("not reloaded: the running configuration stays");
        service_reloaded(master->service, config ? NULL : problems);
        const struct control_outcome outcome = {
                .what = CONTROL_WAIT_RELOAD, .load = master->loads, .accepted = config != NULL, .changes = &changes,
                .message = "not reloaded: the running configuration stays", .problems = problems};
        control_outcome_tell(master->control, &outcome);
        config_update_again(master);
}

static void on_tried_config(struct master *master, struct config *config, struct problem_list *problems)
{
        _cleanup_(reload_changes_clear) struct reload_changes changes = {0};
        struct control_outcome outcome = {.what = CONTROL_WAIT_DRY_RUN, .load = master->loads, .changes = &changes,
                                          .message = "a reload would be refused", .problems = problems};

        config = refuse_empty(config, problems);
        if (config) {
                reload_try(master, config, problems, &changes);
                outcome.accepted = !problem_list_refuses(problems);
                config_clear(config);
                free(config);
        }
        control_outcome_tell(master->control, &outcome);
        config_update_again(master);
}

/* 0, or -errno, which has been logged and said. */
static int start_load(struct master *master, config_load_callback callback)
{
        int r = config_load_start(master, callback, &master->load);

        if (r == 0) {
                master->loads++;
                return 0;
        }
        log_error("cannot start reading the configuration: %s", strerror(-r));
        control_outcome_fail_reloads(master->control, "internal", "cannot start reading the configuration");
        return r;
}

void config_update_reload(struct master *master)
{
        if (master->state >= MASTER_STOPPING) {
                log_notice("not reloading: stopping");
                return;
        }
        master->reload_again = master->load != NULL; /* what is being read may be older than the wish */
        if (master->load)
                return;
        service_reloading(master->service);
        if (start_load(master, on_new_config) < 0)
                service_reloaded(master->service, &(struct problem_list){0});
}

void config_update_try(struct master *master)
{
        master->try_again = master->load != NULL;
        if (!master->load)
                start_load(master, on_tried_config);
}

void config_update_again(struct master *master)
{
        upgrade_continue(master); /* first: those who wish for more can be served by the next program as well */
        if (master->reload_again)
                config_update_reload(master);
        if (master->try_again)
                config_update_try(master);
}

int config_update_first(struct master *master)
{
        return config_load_start(master, on_first_config, &master->load);
}
