#include "master/status/status_workers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "logic/status/status.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"
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
        size_t slots = 0;

        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next)
                slots += worker->slots;
        size_t most = MIN_OF(slots, (size_t)STATUS_WORKERS_MAX);

        status->workers = calloc(most + 1, sizeof(*status->workers));
        if (!status->workers)
                return -ENOMEM;
        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next)
                for (uint32_t i = 0; i < worker->slots && status->worker_count < most; i++)
                        collect_worker(worker, i, now_ms, &status->workers[status->worker_count++]);
        status->workers_left_out = slots - status->worker_count;
        return 0;
}
