#include "master/daemon/shutdown.h"

#include "base/log.h"
#include "base/saturating.h"
#include "master/control/control_outcome.h"
#include "master/control/control_socket.h"
#include "master/daemon/private.h"
#include "master/loop/evloop.h"
#include "master/daemon/upgrade_host.h"
#include "master/manager/readiness.h"
#include "master/pool/pool_orders.h"
#include "master/reload/reload_queue.h"
#include "master/upgrade/upgrade.h"
#include "os/clock.h"

void shutdown_end_if_done(struct daemon *daemon)
{
        if (daemon->state >= DAEMON_STOPPING && daemon->pools.count == 0)
                evloop_stop(daemon->loop);
}

/* From here on nothing is changed any more: neither the configuration nor the program. */
static void close_to_changes(struct daemon *daemon)
{
        reload_queue_close(daemon->reloads);
        upgrade_cancel(daemon->upgrade);
        upgrade_host_release(daemon);
        readiness_stopping(daemon->readiness);
        control_outcome_fail(&daemon->control->clients, "stopping", "preforkd is stopping");
}

void shutdown_begin(struct daemon *daemon, int exit_code, const char *why)
{
        if (daemon->state >= DAEMON_STOPPING)
                return;
        log_event(MESSAGE_ID_STOPPING, LOG_NOTICE, "stopping (%s)", why);
        uint64_t timeout_ms = daemon->config ? daemon->config->master.shutdown_timeout_ms : 0;
        if (daemon->state != DAEMON_DRAINING)
                close_to_changes(daemon);
        daemon->state = DAEMON_STOPPING;
        daemon->exit_code = exit_code;
        for (size_t i = 0; i < daemon->pools.count; i++)
                pool_order_close(daemon->pools.items[i], NULL, why);
        evloop_timer_set(daemon->stop_timer, clock_now_ms() + timeout_ms);
        shutdown_end_if_done(daemon);
}

void shutdown_after_delay(struct daemon *daemon, const char *why)
{
        uint64_t delay_ms = daemon->config ? daemon->config->master.drain_delay_ms : 0;

        if (delay_ms == 0 || daemon->state != DAEMON_RUNNING) {
                shutdown_begin(daemon, MASTER_EXIT_OK, why);
                return;
        }
        log_notice("draining for %llu ms before the stop (%s)", (unsigned long long)delay_ms, why);
        close_to_changes(daemon);
        daemon->state = DAEMON_DRAINING;
        for (size_t i = 0; i < daemon->pools.count; i++)
                pool_order_drain(daemon->pools.items[i], why);
        evloop_timer_set(daemon->stop_timer, saturated_add(clock_now_ms(), delay_ms));
}

void shutdown_at_once(struct daemon *daemon, const char *why)
{
        shutdown_begin(daemon, MASTER_EXIT_OK, why);
        if (daemon->state == DAEMON_KILLING)
                return;
        daemon->state = DAEMON_KILLING;
        evloop_timer_unset(daemon->stop_timer);
        for (size_t i = 0; i < daemon->pools.count; i++)
                pool_order_kill(daemon->pools.items[i], why);
}

static void on_stop_timeout(void *context)
{
        struct daemon *daemon = context;

        if (daemon->state == DAEMON_DRAINING) {
                shutdown_begin(daemon, MASTER_EXIT_OK, "drain_delay has passed");
                return;
        }
        log_event(MESSAGE_ID_STOP_TIMED_OUT, LOG_WARNING,
                  "shutdown_timeout has passed: ending the requests still in flight");
        shutdown_at_once(daemon, "shutdown_timeout");
}

int shutdown_open(struct daemon *daemon)
{
        return evloop_timer_new(daemon->loop, on_stop_timeout, daemon, &daemon->stop_timer);
}
