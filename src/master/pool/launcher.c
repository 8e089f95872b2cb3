#include "master/pool/launcher.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/protocol/worker_plan.h"
#include "master/loop/reaper.h"
#include "master/pool/board_renewal.h"
#include "master/pool/health.h"
#include "master/pool/launcher_ops.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/worker.h"
#include "master/pool/worker_exit.h"
#include "master/pool/worker_output.h"
#include "master/pool/worker_slots.h"
#include "master/pool/worker_table.h"
#include "os/clock.h"
#include "os/process/unwanted_fds.h"

/* No process uses the slot, so plain stores are enough; the fork orders them before the worker's. But what it has of
 * levels is not its worker's: any worker of the pool writes that, at any time. */
static void clear_slot(struct prefork_slot *slot)
{
        size_t levels = offsetof(struct prefork_slot, level_busy_ns);
        size_t rest = offsetof(struct prefork_slot, reserved_thread);

        memset((void *)slot, 0, levels);
        memset((char *)slot + rest, 0, sizeof(*slot) - rest);
}

/* Clear the slots for a new worker. */
static void prepare_slots(const struct worker *worker)
{
        worker_leave_idle_set(worker);
        for (uint32_t i = 0; i < worker->slots; i++) {
                struct prefork_slot *slot = worker_slot(worker, i);
                uint32_t incarnation = atomic_load(&slot->incarnation) + 1;

                clear_slot(slot);
                atomic_store(&slot->incarnation, incarnation);
                *worker_tally(worker, i) =
                        (struct tally){.since_ms = worker->forked_ms, .looked_ms = worker->forked_ms};
        }
        board_note_slot(worker->board, worker->slot + worker->slots - 1);
        pool_publish(worker->pool);
}

/* Count it, also by what it was started for. */
static void count_launch(const struct worker *worker)
{
        static const enum counter_id purposes[] = {
                [WORKER_SERVE] = COUNTER_forked_scale, [WORKER_REFUSE] = COUNTER_forked_refuse,
                [WORKER_DRAIN] = COUNTER_forked_drain, [WORKER_REPLACE] = COUNTER_forked_recycle,
                [WORKER_ROLL] = COUNTER_forked_roll,
        };
        static_assert(ELEMENTS(purposes) == WORKER_PURPOSE_COUNT, "a counter for every purpose");

        pool_counters_note(worker->pool, COUNTER_forked);
        pool_counters_note(worker->pool, purposes[worker->purpose]);
}

/* Finish a launch. If `error` is 0, the process is registered with the reaper. Otherwise there is none: the worker is
 * freed and `error` returned. */
static int settle(struct worker *worker, pid_t pid, int error)
{
        struct pool *pool = worker->pool;
        const struct pool_runtime *runtime = pool->runtime;
        struct worker_output *output = worker->output;
        _cleanup_(fd_closep) int log_source_fd = TAKE_FD(worker->log_source_fd);
        _cleanup_(fd_closep) int status_fd = TAKE_FD(worker->status_fd);

        worker->output = NULL;
        if (error < 0) {
                worker_output_cancel(output);
                worker_leave_idle_set(worker); /* it may have run before its pid was known */
                worker_table_remove(worker);
                board_renewal_end(pool);
                if (error != -ECANCELED)
                        health_note_launch_failure(pool, -error);
                return error;
        }
        worker_output_begin(output, pid);
        if (log_source_fd >= 0)
                runtime->log.add_source(runtime->log.context, pool->name, pid, log_source_fd);
        if (status_fd >= 0)
                runtime->status.add(runtime->status.context, pid, TAKE_FD(status_fd));
        worker_launched(worker, pid, clock_now_ms());
        health_note_launch(pool);
        count_launch(worker);
        const struct log_fields fields = {
                .pool = pool->name, .worker_pid = pid, .reason = worker->reason, .generation = worker->generation};
        log_emit(LOG_DEBUG, &fields, "forked (%s)", worker->reason);
        return 0;
}

/* Register a worker with the reaper that the master, or another process for it, has forked. */
static int expect(struct worker *worker, pid_t pid, bool is_own)
{
        struct reaper *reaper = worker->pool->runtime->reaper;

        int r = is_own ? reaper_add(reaper, pid, worker_exit_settle, worker)
                       : reaper_add_late(reaper, pid, worker->forked_ms, worker_exit_settle, worker);
        if (r == 0)
                reaper_expect_stops(reaper, pid, worker_note_stop); /* or they would be another child's */
        return r;
}

int launcher_answer(struct worker *worker, pid_t pid, int error)
{
        struct pool *pool = worker->pool;

        if (error == 0 && expect(worker, pid, false) < 0)
                error = -EPROTO;
        int r = settle(worker, pid, error);
        reaper_end_launch(pool->runtime->reaper);
        pool_touch(pool);
        return r;
}

/* The worker's socket to the log process, if there is one. Without it, for want of descriptors perhaps, the worker uses
 * its pipe. */
static int open_log_socket(struct worker *worker)
{
        const struct pool_log *log = &worker->pool->runtime->log;
        int pair[2];

        if (!log->takes_sources || !log->takes_sources(log->context) ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -1;
        unwanted_fds_refuse(pair[0]);
        worker->log_source_fd = pair[0];
        return pair[1];
}

/* The worker's socket for questions about the status; -1 in pools that ask none. 0 or -errno. */
static int open_status_socket(struct worker *worker, int *ret_fd)
{
        *ret_fd = -1;
        if (!worker_serves(worker) || !pool_config_asks_master(worker->pool->config))
                return 0;
        return worker->pool->runtime->status.pair(&worker->status_fd, ret_fd);
}

static const struct launcher_ops *operations(const struct worker *worker)
{
        const struct pool *pool = worker->pool;

        return worker_serves(worker) && pool_config_has_template(pool->config) ? pool->runtime->template_launcher
                                                                               : pool->launcher;
}

/* Create the process with its plan. Only that process has the writing end of the pipe afterwards. */
static int launch(struct worker *worker, const struct listener_set *listeners, pid_t *ret_pid)
{
        struct pool *pool = worker->pool;
        const struct pool_runtime *runtime = pool->runtime;
        _cleanup_(freep) int *fds = calloc(listeners->count + 1, sizeof(*fds));
        _cleanup_(fd_closep) int log_write_fd = -1;

        if (!fds)
                return -ENOMEM;
        int r = worker_output_open(runtime->outputs, pool->config, &worker->output, &log_write_fd);
        if (r < 0)
                return r;
        _cleanup_(fd_closep) int log_socket_fd = open_log_socket(worker), status_fd = -1;
        r = open_status_socket(worker, &status_fd);
        if (r < 0)
                return r;
        const struct boards *boards = &pool->boards;
        int board_fds[BOARDS_MAX];
        for (unsigned i = 0; i < boards->count; i++)
                board_fds[i] = boards->items[i]->fd;
        const struct worker_plan plan = {
                .role = worker_serves(worker) ? WORKER_ROLE_SERVE : WORKER_ROLE_REFUSE,
                .pool = pool->config,
                .board_fds = board_fds,
                .board_count = boards->count,
                .slot = worker->slot,
                .slots = worker->slots,
                .listeners = fds,
                .listener_count = listener_set_list_live(listeners, fds, listeners->count),
                .wake_fd = pool->wake.write_fd,
                .log_write_fd = log_write_fd,
                .log_socket_fd = log_socket_fd,
                .status_fd = status_fd,
                .template_fd = -1,
                .master_pid = runtime->master_pid,
                .orphan_timeout_ms = runtime->orphan_timeout_ms,
                .signals = runtime->signals,
                .original = runtime->original_limits,
        };
        return operations(worker)->launch(worker, &plan, ret_pid);
}

int launcher_start(struct pool *pool, enum worker_purpose purpose, const char *reason, struct worker **ret)
{
        struct worker *worker;
        pid_t pid = 0;

        int r = worker_table_add(pool, purpose == WORKER_REFUSE ? 1 : pool_config_threads(pool->config), &worker);
        if (r < 0) {
                health_note_launch_failure(pool, -r);
                return r;
        }
        worker->purpose = purpose;
        worker->generation = pool->generation;
        worker->is_program = worker_serves(worker) && pool->config->handler_type == HANDLER_LISTENER;
        worker->unwatched = worker->is_program && pool_config_is_unwatched(pool->config);
        worker->retire_signal = worker->unwatched ? pool_config_retire_number(pool->config) : 0;
        if (worker->unwatched && pool_config_is_wait(pool->config))
                worker->at_launch = listener_set_mark(worker_listeners(worker));
        worker->reason = reason;
        worker->log_source_fd = worker->status_fd = -1;
        worker->forked_ms = worker->life.since_ms = clock_now_ms();
        worker->requests_at_fork = pool->health.requests_seen;
        prepare_slots(worker);
        r = reaper_begin_launch(pool->runtime->reaper);
        if (r < 0)
                return settle(worker, 0, r);
        r = launch(worker, worker_listeners(worker), &pid);
        if (r != -EINPROGRESS) {
                r = settle(worker, pid, r < 0 ? r : expect(worker, pid, true));
                reaper_end_launch(pool->runtime->reaper);
                if (r < 0)
                        return r;
        }
        *ret = worker;
        return 0;
}

int launcher_adopt(struct pool *pool, const struct worker *known)
{
        struct worker *worker;

        int r = worker_table_adopt(pool, known, &worker);
        if (r < 0)
                return r;
        worker->log_source_fd = worker->status_fd = -1;
        r = reaper_add(pool->runtime->reaper, worker->pid, worker_exit_settle, worker);
        if (r < 0)
                worker_table_remove(worker);
        else
                reaper_expect_stops(pool->runtime->reaper, known->pid, worker_note_stop);
        return r;
}
