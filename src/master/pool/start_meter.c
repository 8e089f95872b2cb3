#include "master/pool/start_meter.h"

#include "base/cleanup.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "os/process/usage.h"

/* Of the average, the last start is one part in so many. */
#define PARTS 8
/* A duration is measured to the millisecond, and 0 means that it is not known. */
#define SHORTEST_US UINT64_C(500)

static uint64_t average(uint64_t before, uint64_t now)
{
        if (before == 0 || now == 0)
                return MAX_OF(before, now);
        return (before * (PARTS - 1) + now) / PARTS;
}

/* The process that the worker was forked from. */
static pid_t parent_of(const struct pool *pool)
{
        return pool->templates.first ? pool->templates.first->pid : pool->runtime->master_pid;
}

uint64_t start_meter_shared_bytes(const struct worker *worker)
{
        if (worker->is_program && !worker->pool->templates.first)
                return 0;
        return process_anonymous_bytes(parent_of(worker->pool));
}

/* Without a lock the kernel tells only how much of a process's memory is no file's, and how many pages it has touched
 * since it is there; most of the former is shared by the fork, and what it has written to since is among the latter. */
uint64_t start_meter_own_bytes(pid_t pid, uint64_t shared_bytes)
{
        uint64_t its = process_anonymous_bytes(pid);
        struct process_usage usage = {0};

        if (shared_bytes == 0)
                return its;
        process_usage_read(pid, &usage);
        return MAX_OF(its - MIN_OF(shared_bytes, its), MIN_OF(usage.touched_bytes, its));
}

void start_meter_note(const struct worker *worker, unsigned at_once, uint64_t now_ms)
{
        struct pool_starts *starts = &worker->pool->starts;
        uint64_t duration_us = MAX_OF((now_ms - MIN_OF(worker->forked_ms, now_ms)) * 1000, SHORTEST_US);

        /* Those of many at once take longer because of each other, and cost the same. */
        if (!worker_serves(worker) || (at_once > worker->pool->runtime->cpus && starts->duration_us > 0))
                return;
        starts->cpu_us = average(starts->cpu_us, process_cpu_us(worker->pid));
        starts->duration_us = average(starts->duration_us, duration_us);
        starts->worker_bytes =
                average(starts->worker_bytes, start_meter_own_bytes(worker->pid, start_meter_shared_bytes(worker)));
}

struct worth start_meter_worth(const struct pool *pool)
{
        const struct worth_input input = {.start_cpu_us = pool->starts.cpu_us,
                                          .start_us = pool->starts.duration_us,
                                          .worker_bytes = pool->starts.worker_bytes,
                                          .machine_bytes = pool->runtime->memory_bytes,
                                          .cpus = pool->runtime->cpus};

        return worth_of_start(&input);
}
