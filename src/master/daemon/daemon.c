#include "master/daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "master/config/config_child.h"
#include "master/control/control_outcome.h"
#include "master/control/control_socket.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/manager/fd_store.h"
#include "master/manager/manager_link.h"
#include "master/manager/readiness.h"
#include "master/pool/pool.h"
#include "master/pool/worker_output.h"
#include "master/reload/reload_queue.h"
#include "master/status/report.h"
#include "master/upgrade/upgrade.h"
#include "os/clock.h"
#include "os/process/title.h"
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
        upgrade_cancel(master);
        service_stopping(master->service);
        control_outcome_fail(master->control, "stopping", "preforkd is stopping");
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
                config_update_reload(master);
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
                upgrade_begin(master, NULL, "SIGUSR2");
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

static int open_master(struct master *master, struct master_setup *setup)
{
        *master = (struct master){.setup = setup, .signal_fd = -1, .pid = getpid(), .had_terminal = terminal_is_there(),
                                  .started_ms = clock_now_ms()};
        int r = log_sink_open(LOG_DESTINATION_AUTO, NULL, &master->log_sink);
        if (r < 0)
                return r;
        const struct log_sink sink = log_sink_get(master->log_sink);
        if (!setup->take_over.is_trial) /* else all it has to say is for the one that tries it */
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
        return r;
}

static void close_master(struct master *master)
{
        control_free(master->control);
        upgrade_close(master);
        config_load_free(master->load);
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

int master_run(struct master_setup *setup)
{
        struct master master;

        process_title_set(setup->take_over.is_trial ? UPGRADE_TRIAL_TITLE : "master");
        int r = open_master(&master, setup);
        if (r < 0 && setup->take_over.is_trial)
                upgrade_answer_trial(r, &(struct problem_list){0});
        if (r == 0 && setup->take_over.wanted)
                upgrade_take_over(&master);
        else if (r == 0)
                r = config_update_first(&master);
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
