#include "master/daemon/signal_dispatch.h"

#include <signal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/daemon/private.h"
#include "master/daemon/shutdown.h"
#include "master/daemon/upgrade_host.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/reload/limit_orders.h"
#include "master/reload/reload_queue.h"
#include "master/status/report.h"
#include "os/terminal.h"

/* SIGPIPE, SIGTTOU and SIGXFSZ are blocked so that writing to a log that is gone, to a terminal with tostop, or to a
 * log file that has reached the limit on the size of files, neither ends nor stops the daemon. */
const int master_signals[] = {SIGHUP,  SIGINT,  SIGTERM, SIGQUIT,  SIGUSR1, SIGUSR2, SIGTTIN,
                              SIGTTOU, SIGCHLD, SIGPIPE, SIGWINCH, SIGALRM, SIGXFSZ};
const size_t master_signal_count = ELEMENTS(master_signals);

/* A SIGHUP from a user means reload. When the terminal hangs up, the kernel sends SIGHUP too, but the shell may be
 * faster in passing its own on to its jobs, and of two pending signals the second is dropped. So the terminal is
 * checked as well. */
static void handle_hangup(struct daemon *daemon, const struct signals_event *event)
{
        bool from_kernel = event->code == SI_KERNEL;
        bool from_shell = event->pid == getsid(0) && daemon->had_terminal && !terminal_is_there();

        if (!from_kernel && !from_shell)
                reload_queue_reload(daemon->reloads);
        else if (sigismember(&daemon->setup->signals.ignored, SIGHUP) != 1) /* ignored under nohup(1) */
                shutdown_begin(daemon, MASTER_EXIT_OK, "the terminal hung up");
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
                        shutdown_at_once(daemon, "a second signal");
                else if (event->number == SIGTERM)
                        shutdown_after_delay(daemon, "SIGTERM");
                else /* somebody waits at the terminal */
                        shutdown_begin(daemon, MASTER_EXIT_OK, "SIGINT");
                break;
        case SIGQUIT:
                shutdown_at_once(daemon, "SIGQUIT");
                break;
        case SIGUSR1:
                report_all(&daemon->pools);
                break;
        case SIGUSR2:
                upgrade_host_begin(daemon, NULL, "SIGUSR2");
                break;
        case SIGTTIN:
                limit_orders_shift(&daemon->pools, +1);
                break;
        case SIGTTOU:
                if (event->code != SI_KERNEL) /* from the kernel it means that we wrote to a terminal */
                        limit_orders_shift(&daemon->pools, -1);
                break;
        default: /* blocked only to be harmless */
                break;
        }
}

static void on_signal(void *context)
{
        struct daemon *daemon = context;
        struct signals_event event;

        /* No more than can be pending: whoever may signal our children can cause SIGCHLD as fast as we read it. */
        for (size_t i = 0; i < master_signal_count && signals_read(daemon->signal_fd, &event) == 0; i++)
                handle_signal(daemon, &event);
}

int signal_dispatch_open(struct daemon *daemon)
{
        int r = signals_open_fd(master_signals, master_signal_count, &daemon->signal_fd);

        return r < 0 ? r : evloop_watch_new(daemon->loop, daemon->signal_fd, on_signal, daemon, &daemon->signal_watch);
}
