#include "master/status/status_workers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "logic/status/status.h"
#include "master/pool/pool.h"
#include "master/pool/start_meter.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"
#include "os/process/children.h"
#include "os/process/usage.h"

static void describe_exit(const struct prefork_slot *slot, struct status_worker *status)
{
        int exit = atomic_load(&slot->handler_status);

        status->has_exit = atomic_load(&slot->requests_ended) > 0 && (WIFEXITED(exit) || WIFSIGNALED(exit));
        if (status->has_exit && WIFEXITED(exit))
                status->exit_code = WEXITSTATUS(exit);
        else if (status->has_exit)
                status->exit_signal = WTERMSIG(exit);
}

/* What is escalated is the request of one thread; the others serve on. */
static enum worker_state state_of_thread(const struct worker *worker, uint32_t thread)
{
        enum worker_state state = worker->life.state;
        bool is_other = thread != worker->escalated_thread && !worker->life.retired;

        return is_other && (state == WORKER_TERMINATING || state == WORKER_KILLING) ? WORKER_READY : state;
}

struct handler_bytes {
        uint64_t shared, sum;
};

static void add_handler(void *context, pid_t pid)
{
        struct handler_bytes *bytes = context;

        bytes->sum += start_meter_own_bytes(pid, bytes->shared);
}

/* What the worker has of its own, and its handler, which is a process of its own. */
static uint64_t private_bytes(const struct worker *worker, uint64_t shared)
{
        bool is_copy = worker->pool->templates.first;
        struct handler_bytes handler = {.shared = is_copy ? shared : 0};
        uint64_t own = start_meter_own_bytes(worker->pid, shared);

        if (own > 0 && worker->pool->config->handler_type == HANDLER_INETD)
                children_each(worker->pid, add_handler, &handler);
        return own + handler.sum;
}

/* One row for each thread: the process's memory, and of its CPU time what the thread's requests took. */
static void collect_worker(const struct worker *worker, uint32_t thread, uint64_t now_ms, struct status_worker *status)
{
        const struct prefork_slot *slot = worker_slot(worker, thread);
        const struct counters *counted = &worker_tally(worker, thread)->counted.counters;
        struct process_usage usage = {0};
        bool refuses = !worker_serves(worker), busy = worker_is_busy(worker, thread);
        bool reported = atomic_load(&slot->activity_since_ns) > 0;

        process_usage_read(worker->pid, &usage);
        if (worker->slots > 1)
                usage.cpu_ms = 0;
        enum status_worker_state shown =
                status_worker_state_of(state_of_thread(worker, thread), busy, refuses, worker->stopped);
        if (worker->unwatched && shown == STATUS_WORKER_IDLE)
                shown = STATUS_WORKER_UNWATCHED;
        if (shown == STATUS_WORKER_IDLE && worker_is_throttled(worker, thread))
                shown = STATUS_WORKER_HOLDING;
        *status = (struct status_worker){
                .pid = worker->pid,
                .state = shown,
                .busy = busy,
                .generation = worker->generation,
                .age_ms = now_ms - MIN_OF(worker->forked_ms, now_ms),
                .since_ms = now_ms - (reported ? worker_since_ms(worker, thread, now_ms) : worker->forked_ms),
                .requests = counted->requests,
                .cpu_ms = usage.cpu_ms + counted->handler_cpu_us / 1000,
                .memory_bytes = usage.resident_bytes,
        };
        if (!worker->is_program) /* there is no handler besides it that ends */
                describe_exit(slot, status);
}

int status_workers_collect(const struct pool *pool, uint64_t now_ms, struct status_pool *status)
{
        uint64_t shared = 0;
        size_t slots = 0, index = 0;

        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next)
                slots += worker->slots;
        size_t most = MIN_OF(slots, (size_t)STATUS_WORKERS_MAX);

        status->workers = calloc(most + 1, sizeof(*status->workers));
        if (!status->workers)
                return -ENOMEM;
        size_t step = pool->workers.count / STATUS_PRIVATE_MAX + 1;
        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next, index++)
                for (uint32_t i = 0; i < worker->slots && status->worker_count < most; i++) {
                        struct status_worker *row = &status->workers[status->worker_count++];
                        collect_worker(worker, i, now_ms, row);
                        shared = index == 0 ? start_meter_shared_bytes(worker) : shared;
                        if (i == 0 && index % step == 0 && worker->life.state == WORKER_READY)
                                row->private_bytes = private_bytes(worker, shared);
                }
        status->workers_left_out = slots - status->worker_count;
        return 0;
}
