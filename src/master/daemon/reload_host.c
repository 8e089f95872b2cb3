#include "master/daemon/reload_host.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "logic/config/config_options.h"
#include "master/control/control_outcome.h"
#include "master/control/control_socket.h"
#include "master/daemon/log_host.h"
#include "master/daemon/pool_settings.h"
#include "master/daemon/private.h"
#include "master/daemon/shutdown.h"
#include "master/manager/fd_store.h"
#include "master/manager/readiness.h"
#include "master/pool/pool.h"
#include "master/reload/reload_queue.h"
#include "master/upgrade/upgrade.h"
#include "os/clock.h"

/* Descriptors of the master except those of pools and control clients. */
#define OWN_FDS 64

static size_t count_listeners(const struct pool_table *pools)
{
        size_t count = 0;

        for (size_t i = 0; i < pools->count; i++)
                count += pools->items[i]->listeners.count;
        return count;
}

static void begin_to_serve(struct daemon *daemon, const struct config *config)
{
        size_t listeners = count_listeners(&daemon->pools);

        daemon->state = DAEMON_RUNNING;
        daemon->configured_wall_ms = clock_wall_ms();
        log_event(MESSAGE_ID_STARTED, LOG_NOTICE, "preforkd %s ready: %zu pool%s, %zu listener%s", PREFORKD_VERSION,
                  config->pool_count, config->pool_count == 1 ? "" : "s", listeners, listeners == 1 ? "" : "s");
        fd_store_settle(daemon->fd_store);
        readiness_begin(daemon->readiness);
}

static void fail_to_start(struct daemon *daemon, const struct reload_outcome *outcome)
{
        static const char why[] = "the configuration cannot be used";

        if (outcome->config && outcome->config->pool_count == 0) {
                log_event(MESSAGE_ID_START_REFUSED, LOG_ERR, "nothing to serve: the configuration has no pool");
                readiness_nothing(daemon->readiness, "Nothing to serve: the configuration has no pool");
                shutdown_begin(daemon, MASTER_EXIT_NOTHING, "nothing to serve");
                return;
        }
        log_event(MESSAGE_ID_START_REFUSED, LOG_ERR, "not started");
        readiness_failed(daemon->readiness, outcome->error < 0 ? -outcome->error : EINVAL, outcome->problems, why);
        shutdown_begin(daemon, outcome->error < 0 ? MASTER_EXIT_FAILURE : MASTER_EXIT_CONFIG, why);
}

static void report_reload(struct daemon *daemon, const struct reload_outcome *outcome)
{
        static const char refused[] = "not reloaded: the running configuration stays";

        daemon->config_refused = !outcome->accepted;
        if (outcome->accepted)
                daemon->configured_wall_ms = clock_wall_ms();
        if (outcome->accepted)
                log_event(MESSAGE_ID_RELOADED, LOG_NOTICE, "reloaded: %zu pool%s", outcome->config->pool_count,
                          outcome->config->pool_count == 1 ? "" : "s");
        else
                log_event(MESSAGE_ID_RELOAD_REFUSED, LOG_ERR, "%s", refused);
        readiness_reloaded(daemon->readiness, outcome->accepted ? NULL : outcome->problems);
}

static void answer_reload(struct daemon *daemon, const struct reload_outcome *outcome)
{
        bool is_trial = outcome->kind == RELOAD_DRY_RUN;
        const char *refused = is_trial ? "a reload would be refused" : "not reloaded: the running configuration stays";
        const struct control_outcome answer = {.what = is_trial ? CONTROL_WAIT_DRY_RUN : CONTROL_WAIT_RELOAD,
                                               .load = outcome->load,
                                               .accepted = outcome->accepted,
                                               .error = outcome->failure ? "internal" : NULL,
                                               .message = outcome->failure ? outcome->failure : refused,
                                               .changes = outcome->changes,
                                               .problems = outcome->problems};

        control_outcome_tell(&daemon->control->clients, &answer);
}

static void on_reload_begun(void *context)
{
        struct daemon *daemon = context;

        readiness_reloading(daemon->readiness);
        log_host_reopen(daemon); /* whether the configuration is accepted or not: logrotate(8) waits for it */
}

static void on_reload_ended(void *context, const struct reload_outcome *outcome)
{
        struct daemon *daemon = context;

        if (outcome->kind == RELOAD_FIRST && outcome->accepted)
                begin_to_serve(daemon, outcome->config);
        else if (outcome->kind == RELOAD_FIRST)
                fail_to_start(daemon, outcome);
        else {
                if (outcome->kind == RELOAD_REPLACE)
                        report_reload(daemon, outcome);
                answer_reload(daemon, outcome);
        }
}

static void on_idle(void *context)
{
        const struct daemon *daemon = context;

        upgrade_continue(daemon->upgrade);
}

/* The last participant: makes the new configuration the running one. */
static void commit_config(void *owner, const struct reload_context *context)
{
        struct daemon *daemon = owner;

        if (context->old_config) {
                config_clear(context->old_config);
                free(context->old_config);
        }
        daemon->config = context->new_config;
        pool_settings_apply(daemon);
        daemon->config_serial++;
}

static void list_participants(struct daemon *daemon)
{
        static const struct reload_participant configuration = {.name = "configuration", .commit = commit_config};
        struct reload_participants *list = &daemon->reload.participants;

        daemon->fd_budget = (struct fd_budget){.pools = &daemon->pools, .own = OWN_FDS + CONTROL_CLIENTS_MAX};
        daemon->log_change = (struct log_change){
                .sink = &daemon->log_sink, .process = &daemon->log_process, .setup = &daemon->log_setup};
        daemon->pool_changes = (struct pool_changes){.sources = {.pools = &daemon->pools, .store = daemon->fd_store},
                                                     .runtime = &daemon->pool_runtime};
        reload_participants_add(list, &passed_sockets_participant, daemon->fd_store);
        reload_participants_add(list, &fd_budget_participant, &daemon->fd_budget);
        reload_participants_add(list, &log_participant, &daemon->log_change);
        reload_participants_add(list, &control_participant, daemon->control);
        reload_participants_add(list, &pools_participant, &daemon->pool_changes);
        reload_participants_add(list, &configuration, daemon);
}

int reload_host_open(struct daemon *daemon)
{
        daemon->reload.config = &daemon->config;
        daemon->reload.pools = &daemon->pools;
        list_participants(daemon);
        const struct config_child_setup setup = {.loop = daemon->loop,
                                                 .reaper = daemon->reaper,
                                                 .signals = &daemon->setup->signals,
                                                 .source = &daemon->setup->source};
        const struct reload_observer observer = {
                .context = daemon, .begun = on_reload_begun, .ended = on_reload_ended, .idle = on_idle};

        return reload_queue_new(&daemon->reload, &setup, &observer, &daemon->reloads);
}
