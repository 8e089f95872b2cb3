#include "master/pool/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/idle_set.h"
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
#include "master/pool/worker_table.h"
#include "os/clock.h"

/* Clear the slot for a new worker. */
static void prepare_slot(const struct worker *worker)
{
        struct prefork_slot *slot = worker_slot(worker);
        uint32_t incarnation = atomic_load(&slot->incarnation) + 1;

        idle_set_remove(worker->board->memory, worker->slot);
        /* No process uses the slot, so plain stores are enough; the fork orders them before the worker's. */
        memset((void *)slot, 0, sizeof(*slot));
        atomic_store(&slot->incarnation, incarnation);
        board_note_slot(worker->board, worker->slot);
        pool_publish(worker->pool);
}

/* Finish a launch. If `error` is 0, the process is registered with the reaper. Otherwise there is none: the worker is
 * freed and `error` returned. */
static int settle(struct worker *worker, pid_t pid, int error)
{
        struct pool *pool = worker->pool;
        const struct pool_runtime *runtime = pool->runtime;
        _cleanup_(fd_closep) int log_read_fd = TAKE_FD(worker->log_read_fd);

        if (error < 0) {
                idle_set_remove(worker->board->memory, worker->slot); /* it may have run before its pid was known */
                worker_table_remove(worker);
                board_renewal_end(pool);
                health_note_launch_failure(pool, -error);
                return error;
        }
        /* worker_output owns the reading end from here on; if it fails, only the worker's output is lost. */
        worker_output_start(runtime->outputs, pool->name, pid, TAKE_FD(log_read_fd));
        worker_launched(worker, pid, clock_now_ms());
        health_note_launch(pool);
        pool_counters_note(pool, COUNTER_forked);
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
        reaper_expect_stops(reaper, pid, worker_note_stop);
        if (r == -ENOMEM) /* a child that cannot be registered; after any other error the pid is not our child's */
                kill(pid, SIGKILL);
        return r;
}

void launcher_answer(struct worker *worker, pid_t pid, int error)
{
        struct pool *pool = worker->pool;

        settle(worker, pid, error < 0 ? error : expect(worker, pid, false));
        reaper_end_launch(pool->runtime->reaper);
        pool_touch(pool);
}

/* Create the process with its plan. Only that process has the writing end of the pipe afterwards. */
static int launch(struct worker *worker, const struct listener_set *listeners, pid_t *ret_pid)
{
        struct pool *pool = worker->pool;
        const struct pool_runtime *runtime = pool->runtime;
        _cleanup_(freep) int *fds = calloc(listeners->count + 1, sizeof(*fds));
        int log_pipe[2];

        if (!fds)
                return -ENOMEM;
        if (pipe2(log_pipe, O_CLOEXEC) < 0)
                return -errno;
        worker->log_read_fd = log_pipe[0];
        _cleanup_(fd_closep) int log_write_fd = log_pipe[1];
        for (size_t i = 0; i < listeners->count; i++)
                fds[i] = listeners->items[i].listener.fd;
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
                .listeners = fds,
                .listener_count = listeners->count,
                .wake_fd = pool->wake.write_fd,
                .log_write_fd = log_write_fd,
                .master_pid = runtime->master_pid,
                .orphan_timeout_ms = runtime->orphan_timeout_ms,
                .signals = runtime->signals,
                .original = runtime->original_limits,
        };
        return pool->launcher->launch(worker, &plan, ret_pid);
}

static const struct listener_set *listeners_of(const struct worker *worker)
{
        const struct pool *pool = worker->pool;

        return worker->purpose == WORKER_DRAIN || pool->mode != POOL_OPEN ? &pool->closing : &pool->listeners;
}

int launcher_start(struct pool *pool, enum worker_purpose purpose, const char *reason, struct worker **ret)
{
        struct worker *worker;
        pid_t pid = 0;

        int r = worker_table_add(pool, &worker);
        if (r < 0) {
                health_note_launch_failure(pool, -r);
                return r;
        }
        worker->purpose = purpose;
        worker->generation = pool->generation;
        worker->is_program = worker_serves(worker) && pool->config->handler_type == HANDLER_LISTENER;
        worker->unwatched = worker->is_program && pool->config->accounting == ACCOUNTING_NONE;
        worker->retire_signal = worker->unwatched ? pool_config_retire_number(pool->config) : 0;
        worker->reason = reason;
        worker->log_read_fd = -1;
        worker->forked_ms = worker->life.since_ms = clock_now_ms();
        *worker_tally(worker) = (struct tally){.since_ms = worker->forked_ms, .looked_ms = worker->forked_ms};
        worker->requests_at_fork = pool->health.requests_seen;
        prepare_slot(worker);
        reaper_begin_launch(pool->runtime->reaper);
        r = launch(worker, listeners_of(worker), &pid);
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
        worker->log_read_fd = -1;
        r = reaper_add(pool->runtime->reaper, worker->pid, worker_exit_settle, worker);
        if (r < 0)
                worker_table_remove(worker);
        else
                reaper_expect_stops(pool->runtime->reaper, known->pid, worker_note_stop);
        return r;
}
