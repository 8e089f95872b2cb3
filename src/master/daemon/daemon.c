#include "master/daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/config/config_options.h"
#include "master/control/control_outcome.h"
#include "master/control/control_socket.h"
#include "master/daemon/upgrade_host.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/manager/fd_store.h"
#include "master/manager/manager_link.h"
#include "master/manager/readiness.h"
#include "master/pool/pool.h"
#include "master/pool/worker_output.h"
#include "master/reload/reload_queue.h"
#include "master/status/report.h"
#include "master/status/service_rows.h"
#include "master/upgrade/preflight.h"
#include "master/upgrade/upgrade.h"
#include "os/clock.h"
#include "os/process/title.h"
#include "os/terminal.h"

/* SIGPIPE and SIGTTOU are taken so that writing to a log that is gone, or to a terminal with tostop, neither ends nor
 * stops the daemon. */
const int master_signals[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGCHLD, SIGPIPE,
                              SIGWINCH, SIGALRM};
const size_t master_signal_count = ELEMENTS(master_signals);

static void end_if_done(struct daemon *daemon)
{
        if (daemon->state >= DAEMON_STOPPING && daemon->pools.count == 0)
                evloop_stop(daemon->loop);
}

static void on_pool_changed(void *context, struct pool *pool)
{
        struct daemon *daemon = context;

        (void)pool;
        readiness_touch(daemon->service);
}

static void on_listener_leaves(void *context, struct pool_listener *item)
{
        struct daemon *daemon = context;

        if (daemon->state < DAEMON_STOPPING) /* else our successor goes on with it */
                fd_store_release(daemon->keeper, item->name, &item->listener);
}

static void on_pool_done(void *context, struct pool *pool)
{
        struct daemon *daemon = context;

        pool_table_remove(&daemon->pools, pool);
        report_pool(pool);
        pool_free(pool);
        end_if_done(daemon);
}

void daemon_stop(struct daemon *daemon, int exit_code, const char *why)
{
        if (daemon->state >= DAEMON_STOPPING)
                return;
        log_notice("stopping (%s)", why);
        uint64_t timeout_ms = daemon->config ? daemon->config->master.shutdown_timeout_ms : 0;
        daemon->state = DAEMON_STOPPING;
        daemon->exit_code = exit_code;
        reload_queue_close(daemon->reloads);
        upgrade_cancel(daemon->upgrade);
        readiness_stopping(daemon->service);
        control_outcome_fail(daemon->control, "stopping", "preforkd is stopping");
        for (size_t i = 0; i < daemon->pools.count; i++)
                pool_drain(daemon->pools.items[i], NULL, why);
        evloop_timer_set(daemon->stop_timer, clock_now_ms() + timeout_ms);
        end_if_done(daemon);
}

void daemon_stop_now(struct daemon *daemon, const char *why)
{
        daemon_stop(daemon, MASTER_EXIT_OK, why);
        if (daemon->state == DAEMON_KILLING)
                return;
        daemon->state = DAEMON_KILLING;
        evloop_timer_unset(daemon->stop_timer);
        for (size_t i = 0; i < daemon->pools.count; i++)
                pool_kill(daemon->pools.items[i]);
}

static void on_stop_timeout(void *context)
{
        struct daemon *daemon = context;

        log_warning("shutdown_timeout has passed: ending the requests still in flight");
        daemon_stop_now(daemon, "shutdown_timeout");
}

static void shift_max_workers(struct daemon *daemon, int by)
{
        for (size_t i = 0; i < daemon->pools.count; i++) {
                struct pool *pool = daemon->pools.items[i];
                int most = (int)pool->config->max_workers + pool->max_workers_shift + by;
                if (most < 1 || most > (int)SCOREBOARD_SLOTS / 2)
                        continue;
                pool->max_workers_shift += by;
                pool_record(pool, LOG_NOTICE, "max_workers is %d until the next reload", most);
                pool_touch(pool);
        }
}

/* From people SIGHUP means reload. When the terminal hangs up the kernel sends it, but the shell that runs us may be
 * faster: it passes its own on to its jobs, and of two that are pending the second is dropped. */
static void handle_hangup(struct daemon *daemon, const struct signals_event *event)
{
        bool from_kernel = event->code == SI_KERNEL;
        bool from_shell = event->pid == getsid(0) && daemon->had_terminal && !terminal_is_there();

        if (!from_kernel && !from_shell)
                reload_queue_reload(daemon->reloads);
        else if (sigismember(&daemon->setup->signals.ignored, SIGHUP) != 1) /* as nohup(1) asks for */
                daemon_stop(daemon, MASTER_EXIT_OK, "the terminal hung up");
}

static void handle_signal(struct daemon *daemon, const struct signals_event *event)
{
        switch (event->number) {
        case SIGCHLD:
                reaper_collect(daemon->reaper);
                break;
        case SIGHUP:
                handle_hangup(daemon, event);
                break;
        case SIGINT:
        case SIGTERM:
                if (daemon->state >= DAEMON_STOPPING)
                        daemon_stop_now(daemon, "told twice");
                else
                        daemon_stop(daemon, MASTER_EXIT_OK, event->number == SIGTERM ? "SIGTERM" : "SIGINT");
                break;
        case SIGQUIT:
                daemon_stop_now(daemon, "SIGQUIT");
                break;
        case SIGUSR1:
                report_all(&daemon->pools);
                break;
        case SIGUSR2:
                upgrade_host_begin(daemon, NULL, "SIGUSR2");
                break;
        case SIGTTIN:
                shift_max_workers(daemon, +1);
                break;
        case SIGTTOU:
                if (event->code != SI_KERNEL) /* the kernel's means that we wrote to a terminal */
                        shift_max_workers(daemon, -1);
                break;
        default: /* taken to be harmless, not to be heard */
                break;
        }
}

static void on_signal(void *context)
{
        struct daemon *daemon = context;
        struct signals_event event;

        while (signals_read(daemon->signal_fd, &event) == 0)
                handle_signal(daemon, &event);
}

/* What pools need of us. orphan_timeout_ms comes with the configuration. */
static void describe_runtime(struct daemon *daemon)
{
        const struct daemon_setup *setup = daemon->setup;

        daemon->outputs.loop = daemon->loop;
        daemon->pool_runtime = (struct pool_runtime){
                .loop = daemon->loop, .reaper = daemon->reaper, .outputs = &daemon->outputs,
                .worker_entry = setup->worker_entry, .signals = &setup->signals,
                .original_limits = &setup->original_limits, .master_pid = daemon->pid, .turn = pool_evaluate,
                .observer = {.context = daemon, .changed = on_pool_changed, .listener_leaves = on_listener_leaves,
                             .done = on_pool_done},
        };
}

/* All pools, for the caller to free. NULL: out of memory; the next look may have some. */
static struct service_pool *describe_pools(void *context, size_t *ret_count)
{
        const struct daemon *daemon = context;
        struct service_pool *rows = calloc(daemon->pools.count + 1, sizeof(*rows));

        for (size_t i = 0; rows && i < daemon->pools.count; i++)
                rows[i] = service_row_of(daemon->pools.items[i]);
        *ret_count = daemon->pools.count;
        return rows;
}

static void on_unable(void *context, const char *why)
{
        daemon_stop(context, MASTER_EXIT_FAILURE, why);
}

static int open_readiness(struct daemon *daemon)
{
        const struct readiness_host host = {.context = daemon, .describe_pools = describe_pools, .fail = on_unable};

        return readiness_new(&host, daemon->loop, daemon->reaper, daemon->manager, &daemon->service);
}

static size_t count_listeners(const struct config *config)
{
        size_t count = 0;

        for (size_t i = 0; i < config->pool_count; i++)
                count += config->pools[i]->listen.count;
        return count;
}

static void begin_to_serve(struct daemon *daemon, const struct config *config)
{
        size_t listeners = count_listeners(config);

        daemon->state = DAEMON_RUNNING;
        log_notice("preforkd %s ready: %zu pool%s, %zu listener%s", PREFORKD_VERSION, config->pool_count,
                   config->pool_count == 1 ? "" : "s", listeners, listeners == 1 ? "" : "s");
        fd_store_settle(daemon->keeper);
        readiness_begin(daemon->service);
}

static void fail_to_start(struct daemon *daemon, const struct reload_outcome *outcome)
{
        static const char why[] = "the configuration cannot be used";

        if (outcome->config && outcome->config->pool_count == 0) {
                log_error("nothing to serve: the configuration has no pool");
                readiness_failed(daemon->service, ENOENT, NULL, "the configuration has no pool");
                daemon_stop(daemon, MASTER_EXIT_NOTHING, "nothing to serve");
                return;
        }
        log_error("not started");
        readiness_failed(daemon->service, outcome->error < 0 ? -outcome->error : EINVAL, outcome->problems, why);
        daemon_stop(daemon, outcome->error < 0 ? MASTER_EXIT_FAILURE : MASTER_EXIT_CONFIG, why);
}

static void report_reload(struct daemon *daemon, const struct reload_outcome *outcome)
{
        static const char refused[] = "not reloaded: the running configuration stays";

        if (outcome->accepted)
                log_notice("reloaded: %zu pool%s", outcome->config->pool_count, outcome->config->pool_count == 1 ? "" : "s");
        else if (!outcome->failure)
                log_error("%s", refused);
        readiness_reloaded(daemon->service, outcome->accepted ? NULL : outcome->problems);
}

static void answer_reload(struct daemon *daemon, const struct reload_outcome *outcome)
{
        bool is_trial = outcome->kind == RELOAD_DRY_RUN;
        const char *refused = is_trial ? "a reload would be refused" : "not reloaded: the running configuration stays";
        const struct control_outcome answer = {
                .what = is_trial ? CONTROL_WAIT_DRY_RUN : CONTROL_WAIT_RELOAD, .load = outcome->load,
                .accepted = outcome->accepted, .error = outcome->failure ? "internal" : NULL,
                .message = outcome->failure ? outcome->failure : refused, .changes = outcome->changes,
                .problems = outcome->problems};

        control_outcome_tell(daemon->control, &answer);
}

static void on_reload_begun(void *context)
{
        const struct daemon *daemon = context;

        readiness_reloading(daemon->service);
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

static int open_reloads(struct daemon *daemon)
{
        const struct config_child_setup setup = {.loop = daemon->loop, .reaper = daemon->reaper,
                                                 .signals = &daemon->setup->signals, .source = &daemon->setup->source};
        const struct reload_observer observer = {.context = daemon, .begun = on_reload_begun, .ended = on_reload_ended,
                                                 .idle = on_idle};

        return reload_queue_new(daemon, &setup, &observer, &daemon->reloads);
}

static int open_daemon(struct daemon *daemon, struct daemon_setup *setup)
{
        *daemon = (struct daemon){.setup = setup, .signal_fd = -1, .pid = getpid(), .had_terminal = terminal_is_there(),
                                  .started_ms = clock_now_ms()};
        int r = log_sink_open(LOG_DESTINATION_AUTO, NULL, &daemon->log_sink);
        if (r < 0)
                return r;
        const struct log_sink sink = log_sink_get(daemon->log_sink);
        if (!setup->take_over.is_preflight) /* else all it has to say is for the one that tries it */
                log_set_sink(&sink, LOG_INFO);
        r = evloop_new(&daemon->loop);
        if (r == 0)
                r = reaper_new(&daemon->reaper);
        if (r == 0)
                describe_runtime(daemon);
        if (r == 0)
                r = manager_link_new(daemon->loop, &daemon->manager);
        if (r == 0)
                r = fd_store_new(daemon->manager, &daemon->keeper);
        if (r == 0)
                r = open_readiness(daemon);
        if (r == 0)
                r = open_reloads(daemon);
        if (r == 0)
                r = signals_open_fd(master_signals, master_signal_count, &daemon->signal_fd);
        if (r == 0)
                r = evloop_watch_new(daemon->loop, daemon->signal_fd, on_signal, daemon, &daemon->signal_watch);
        if (r == 0)
                r = evloop_timer_new(daemon->loop, on_stop_timeout, daemon, &daemon->stop_timer);
        if (r == 0)
                r = control_new(daemon, &daemon->control);
        if (r == 0)
                r = upgrade_host_open(daemon);
        return r;
}

static void close_daemon(struct daemon *daemon)
{
        control_free(daemon->control);
        upgrade_free(daemon->upgrade);
        reload_queue_free(daemon->reloads);
        worker_output_finish_all(&daemon->outputs);
        if (daemon->config) {
                config_clear(daemon->config);
                free(daemon->config);
        }
        pool_table_clear(&daemon->pools);
        readiness_free(daemon->service);
        fd_store_free(daemon->keeper);
        manager_link_free(daemon->manager);
        evloop_timer_free(daemon->stop_timer);
        evloop_watch_free(daemon->signal_watch);
        fd_closep(&daemon->signal_fd);
        reaper_free(daemon->reaper);
        evloop_free(daemon->loop);
        log_set_sink(NULL, LOG_INFO);
        log_sink_close(daemon->log_sink);
}

int daemon_run(struct daemon_setup *setup)
{
        struct daemon daemon;

        process_title_set(setup->take_over.is_preflight ? PREFLIGHT_TITLE : "master");
        int r = open_daemon(&daemon, setup);
        if (r < 0 && setup->take_over.is_preflight)
                preflight_answer(r, &(struct problem_list){0});
        if (r == 0 && setup->take_over.wanted)
                upgrade_host_take_over(&daemon);
        else if (r == 0)
                r = reload_queue_first(daemon.reloads);
        if (r == 0)
                evloop_run(daemon.loop);
        else {
                log_error("cannot start: %s", strerror(-r));
                daemon.exit_code = MASTER_EXIT_FAILURE;
        }
        if (r == 0 && daemon.config)
                log_event(MESSAGE_ID_STOPPED, LOG_NOTICE, "stopped");
        int exit_code = daemon.exit_code;
        close_daemon(&daemon);
        return exit_code;
}
