#include "master/reload/reload_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/config/config_options.h"
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
static void on_first_config(struct daemon *daemon, struct config *config, struct problem_list *problems)
{
        int exit_code = MASTER_EXIT_CONFIG, r = -EINVAL;

        if (config && config->pool_count == 0) {
                report_problems(problems);
                config_clear(config);
                free(config);
                log_event(MESSAGE_ID_START_REFUSED, LOG_ERR, "nothing to serve: the configuration has no pool");
                readiness_failed(daemon->service, ENOENT, NULL, "the configuration has no pool");
                daemon_stop(daemon, MASTER_EXIT_NOTHING, "nothing to serve");
                return;
        }
        if (config) {
                exit_code = MASTER_EXIT_FAILURE;
                r = reload_apply(daemon, config, problems, NULL);
                if (r < 0)
                        config = NULL;
        }
        report_problems(problems);
        if (!config) {
                log_event(MESSAGE_ID_START_REFUSED, LOG_ERR, "not started");
                readiness_failed(daemon->service, -r, problems, "the configuration cannot be used");
                daemon_stop(daemon, exit_code, "the configuration cannot be used");
                return;
        }
        daemon->state = DAEMON_RUNNING;
        log_event(MESSAGE_ID_STARTED, LOG_NOTICE, "preforkd %s ready: %zu pool%s, %zu listener%s", PREFORKD_VERSION,
                  config->pool_count, config->pool_count == 1 ? "" : "s", count_listeners(config),
                  count_listeners(config) == 1 ? "" : "s");
        fd_store_settle(daemon->keeper);
        readiness_begin(daemon->service);
        reload_queue_again(daemon);
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

static void on_new_config(struct daemon *daemon, struct config *config, struct problem_list *problems)
{
        _cleanup_(reload_changes_clear) struct reload_changes changes = {0};

        config = refuse_empty(config, problems);
        if (config && reload_apply(daemon, config, problems, &changes) < 0)
                config = NULL;
        report_problems(problems);
        if (config)
                log_event(MESSAGE_ID_RELOADED, LOG_NOTICE, "reloaded: %zu pool%s", config->pool_count,
                          config->pool_count == 1 ? "" : "s");
        else
                log_event(MESSAGE_ID_RELOAD_REFUSED, LOG_ERR, "not reloaded: the running configuration stays");
        readiness_reloaded(daemon->service, config ? NULL : problems);
        const struct control_outcome outcome = {
                .what = CONTROL_WAIT_RELOAD, .load = daemon->loads, .accepted = config != NULL, .changes = &changes,
                .message = "not reloaded: the running configuration stays", .problems = problems};
        control_outcome_tell(daemon->control, &outcome);
        reload_queue_again(daemon);
}

static void on_tried_config(struct daemon *daemon, struct config *config, struct problem_list *problems)
{
        _cleanup_(reload_changes_clear) struct reload_changes changes = {0};
        struct control_outcome outcome = {.what = CONTROL_WAIT_DRY_RUN, .load = daemon->loads, .changes = &changes,
                                          .message = "a reload would be refused", .problems = problems};

        config = refuse_empty(config, problems);
        if (config) {
                reload_check(daemon, config, problems, &changes);
                outcome.accepted = !problem_list_refuses(problems);
                config_clear(config);
                free(config);
        }
        control_outcome_tell(daemon->control, &outcome);
        reload_queue_again(daemon);
}

/* 0, or -errno, which has been logged and said. */
static int start_load(struct daemon *daemon, config_child_callback callback)
{
        int r = config_child_start(daemon, callback, &daemon->load);

        if (r == 0) {
                daemon->loads++;
                return 0;
        }
        log_error("cannot start reading the configuration: %s", strerror(-r));
        control_outcome_fail_reloads(daemon->control, "internal", "cannot start reading the configuration");
        return r;
}

void reload_queue_reload(struct daemon *daemon)
{
        if (daemon->state >= DAEMON_STOPPING) {
                log_notice("not reloading: stopping");
                return;
        }
        daemon->reload_again = daemon->load != NULL; /* what is being read may be older than the wish */
        if (daemon->load)
                return;
        readiness_reloading(daemon->service);
        if (start_load(daemon, on_new_config) < 0) {
                log_event(MESSAGE_ID_RELOAD_REFUSED, LOG_ERR, "not reloaded: the running configuration stays");
                readiness_reloaded(daemon->service, &(struct problem_list){0});
        }
}

void reload_queue_try(struct daemon *daemon)
{
        daemon->try_again = daemon->load != NULL;
        if (!daemon->load)
                start_load(daemon, on_tried_config);
}

void reload_queue_again(struct daemon *daemon)
{
        upgrade_continue(daemon->upgrade); /* first: those who wish for more can be served by the next program as well */
        if (daemon->reload_again)
                reload_queue_reload(daemon);
        if (daemon->try_again)
                reload_queue_try(daemon);
}

int reload_queue_first(struct daemon *daemon)
{
        return config_child_start(daemon, on_first_config, &daemon->load);
}
