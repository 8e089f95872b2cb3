#include "master/master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/reload_changes.h"
#include "master/config_load.h"
#include "master/control.h"
#include "master/control_reload.h"
#include "master/evloop.h"
#include "master/handler_output.h"
#include "master/keeper.h"
#include "master/notify_queue.h"
#include "master/pool.h"
#include "master/reaper.h"
#include "master/reload.h"
#include "master/report.h"
#include "master/service.h"
#include "os/clock.h"
#include "os/process_title.h"
#include "os/terminal.h"

/* SIGPIPE and SIGTTOU are taken so that writing to a log that is gone, or to a terminal with tostop, neither ends nor
 * stops the daemon. */
const int master_signals[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGCHLD, SIGPIPE,
                              SIGWINCH, SIGALRM};
const size_t master_signal_count = ELEMENTS(master_signals);

struct pool *master_find_pool(const struct master *master, const char *name)
{
        for (size_t i = 0; i < master->pool_count; i++)
                if (!master->pools[i]->draining && text_equal(master->pools[i]->name, name))
                        return master->pools[i];
        return NULL;
}

static void end_if_done(struct master *master)
{
        if (master->state >= MASTER_STOPPING && master->pool_count == 0)
                evloop_stop(master->loop);
}

void master_forget_pool(struct master *master, struct pool *pool)
{
        size_t index = 0;

        while (master->pools[index] != pool)
                index++;
        memmove(&master->pools[index], &master->pools[index + 1],
                (--master->pool_count - index) * sizeof(struct pool *));
        report_pool(pool);
        pool_free(pool);
        end_if_done(master);
}

void master_stop(struct master *master, int exit_code, const char *why)
{
        if (master->state >= MASTER_STOPPING)
                return;
        log_notice("stopping (%s)", why);
        uint64_t timeout_ms = master->config ? master->config->master.shutdown_timeout_ms : 0;
        master->state = MASTER_STOPPING;
        master->exit_code = exit_code;
        config_load_cancel(master->load);
        master->load = NULL;
        service_stopping(master->service);
        control_reload_failed(master->control, "preforkd is stopping");
        for (size_t i = 0; i < master->pool_count; i++)
                pool_drain(master->pools[i], NULL, why);
        evloop_timer_set(master->stop_timer, clock_now_ms() + timeout_ms);
        end_if_done(master);
}

void master_stop_now(struct master *master, const char *why)
{
        master_stop(master, MASTER_EXIT_OK, why);
        if (master->state == MASTER_KILLING)
                return;
        master->state = MASTER_KILLING;
        evloop_timer_unset(master->stop_timer);
        for (size_t i = 0; i < master->pool_count; i++)
                pool_kill(master->pools[i]);
}

static void on_stop_timeout(void *context)
{
        struct master *master = context;

        log_warning("shutdown_timeout has passed: ending the requests still in flight");
        master_stop_now(master, "shutdown_timeout");
}

static void log_problems(const struct problem_list *problems)
{
        for (size_t i = 0; i < problems->count; i++) {
                const struct problem *problem = &problems->items[i];
                const struct log_fields fields = {.file = problem->file, .line = problem->line};
                log_emit(problem->warning ? LOG_WARNING : LOG_ERR, &fields, "%s", problem->text);
        }
}

static size_t count_listeners(const struct config *config)
{
        size_t count = 0;

        for (size_t i = 0; i < config->pool_count; i++)
                count += config->pools[i]->listen.count;
        return count;
}

static void read_again(struct master *master);

/* The first configuration: without it there is nothing to run. */
static void on_first_config(struct master *master, struct config *config, struct problem_list *problems)
{
        int exit_code = MASTER_EXIT_CONFIG, r = -EINVAL;

        if (config && config->pool_count == 0) {
                log_problems(problems);
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
        log_problems(problems);
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
        read_again(master);
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
        log_problems(problems);
        if (config)
                log_notice("reloaded: %zu pool%s", config->pool_count, config->pool_count == 1 ? "" : "s");
        else
                log_error("not reloaded: the running configuration stays");
        service_reloaded(master->service, config ? NULL : problems);
        const struct control_outcome outcome = {
                .what = CONTROL_WAIT_RELOAD, .load = master->loads, .accepted = config != NULL, .changes = &changes,
                .message = "not reloaded: the running configuration stays", .problems = problems};
        control_reload_done(master->control, &outcome);
        read_again(master);
}

/* What a reload would do: all but the opening of what is new, which would be seen from outside. */
static void on_tried_config(struct master *master, struct config *config, struct problem_list *problems)
{
        _cleanup_(reload_changes_clear) struct reload_changes changes = {0};
        _cleanup_(reload_plan_clear) struct reload_plan plan = {0};
        struct control_outcome outcome = {.what = CONTROL_WAIT_DRY_RUN, .load = master->loads, .changes = &changes,
                                          .message = "a reload would be refused", .problems = problems};

        config = refuse_empty(config, problems);
        if (config) {
                int r = reload_diff(master->config, config, &plan, problems);
                if (r == 0)
                        r = reload_changes_of(&plan, &master->config->master, &config->master, &changes);
                if (r < 0)
                        problem_add(problems, NULL, 0, "%s", strerror(-r));
                outcome.accepted = !problem_list_refuses(problems);
                config_clear(config);
                free(config);
        }
        control_reload_done(master->control, &outcome);
        read_again(master);
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
        control_reload_failed(master->control, "cannot start reading the configuration");
        return r;
}

void master_reload(struct master *master)
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

void master_try_config(struct master *master)
{
        master->try_again = master->load != NULL;
        if (!master->load)
                start_load(master, on_tried_config);
}

/* What was asked for while a configuration was being read. */
static void read_again(struct master *master)
{
        if (master->reload_again)
                master_reload(master);
        if (master->try_again)
                master_try_config(master);
}

static void shift_max_workers(struct master *master, int by)
{
        for (size_t i = 0; i < master->pool_count; i++) {
                struct pool *pool = master->pools[i];
                int most = (int)pool->config->max_workers + pool->max_workers_shift + by;
                if (most < 1 || most > (int)SCOREBOARD_SLOTS / 2)
                        continue;
                pool->max_workers_shift += by;
                pool_decide(pool, LOG_NOTICE, "max_workers is %d until the next reload", most);
                pool_touch(pool);
        }
}

/* From people SIGHUP means reload. When the terminal hangs up the kernel sends it, but the shell that runs us may be
 * faster: it passes its own on to its jobs, and of two that are pending the second is dropped. */
static void handle_hangup(struct master *master, const struct signals_event *event)
{
        bool from_kernel = event->code == SI_KERNEL;
        bool from_shell = event->pid == getsid(0) && master->had_terminal && !terminal_is_there();

        if (!from_kernel && !from_shell)
                master_reload(master);
        else if (sigismember(&master->setup->signals.ignored, SIGHUP) != 1) /* as nohup(1) asks for */
                master_stop(master, MASTER_EXIT_OK, "the terminal hung up");
}

static void handle_signal(struct master *master, const struct signals_event *event)
{
        switch (event->number) {
        case SIGCHLD:
                reaper_collect(master->reaper);
                break;
        case SIGHUP:
                handle_hangup(master, event);
                break;
        case SIGINT:
        case SIGTERM:
                if (master->state >= MASTER_STOPPING)
                        master_stop_now(master, "told twice");
                else
                        master_stop(master, MASTER_EXIT_OK, event->number == SIGTERM ? "SIGTERM" : "SIGINT");
                break;
        case SIGQUIT:
                master_stop_now(master, "SIGQUIT");
                break;
        case SIGUSR1:
                report_all(master);
                break;
        case SIGUSR2:
                log_notice("SIGUSR2: re-execution is not available yet");
                break;
        case SIGTTIN:
                shift_max_workers(master, +1);
                break;
        case SIGTTOU:
                if (event->code != SI_KERNEL) /* the kernel's means that we wrote to a terminal */
                        shift_max_workers(master, -1);
                break;
        default: /* taken to be harmless, not to be heard */
                break;
        }
}

static void on_signal(void *context)
{
        struct master *master = context;
        struct signals_event event;

        while (signals_read(master->signal_fd, &event) == 0)
                handle_signal(master, &event);
}

static int open_master(struct master *master, const struct master_setup *setup)
{
        *master = (struct master){.setup = setup, .signal_fd = -1, .pid = getpid(), .had_terminal = terminal_is_there(),
                                  .started_ms = clock_now_ms()};
        int r = log_sink_open(LOG_DESTINATION_AUTO, NULL, &master->log_sink);
        if (r < 0)
                return r;
        const struct log_sink sink = log_sink_get(master->log_sink);
        log_set_sink(&sink, LOG_INFO);
        r = evloop_new(&master->loop);
        if (r == 0)
                r = reaper_new(&master->reaper);
        if (r == 0)
                r = notify_queue_new(master->loop, &master->manager);
        if (r == 0)
                r = keeper_new(master->manager, &master->keeper);
        if (r == 0)
                r = service_new(master, master->manager, &master->service);
        if (r == 0)
                r = signals_open_fd(master_signals, master_signal_count, &master->signal_fd);
        if (r == 0)
                r = evloop_watch_new(master->loop, master->signal_fd, on_signal, master, &master->signal_watch);
        if (r == 0)
                r = evloop_timer_new(master->loop, on_stop_timeout, master, &master->stop_timer);
        if (r == 0)
                r = control_new(master, &master->control);
        if (r == 0)
                r = config_load_start(master, on_first_config, &master->load);
        return r;
}

static void close_master(struct master *master)
{
        control_free(master->control);
        handler_output_finish_all(master);
        if (master->config) {
                config_clear(master->config);
                free(master->config);
        }
        free(master->pools);
        service_free(master->service);
        keeper_free(master->keeper);
        notify_queue_free(master->manager);
        evloop_timer_free(master->stop_timer);
        evloop_watch_free(master->signal_watch);
        fd_closep(&master->signal_fd);
        reaper_free(master->reaper);
        evloop_free(master->loop);
        log_set_sink(NULL, LOG_INFO);
        log_sink_close(master->log_sink);
}

int master_run(const struct master_setup *setup)
{
        struct master master;

        process_title_set("master");
        int r = open_master(&master, setup);
        if (r == 0)
                evloop_run(master.loop);
        else {
                log_error("cannot start: %s", strerror(-r));
                master.exit_code = MASTER_EXIT_FAILURE;
        }
        if (r == 0 && master.config)
                log_notice("stopped");
        int exit_code = master.exit_code;
        close_master(&master);
        return exit_code;
}
