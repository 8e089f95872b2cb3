#include "logic/status/sizing_facts.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/figures.h"
#include "logic/policy/worth.h"

/* The mean of those that are measured. The memory of a handler that is a process of its own is there while it runs. */
static uint64_t find_worker_bytes(const struct sizing_input *input)
{
        bool is_process = text_equal(input->pool->handler_type, "inetd");
        uint64_t sum = 0, count = 0;

        for (size_t i = 0; i < input->worker_count; i++) {
                const struct sizing_worker *worker = &input->workers[i];
                if (worker->private_bytes == 0 || (is_process && !worker->busy))
                        continue;
                sum += worker->private_bytes;
                count++;
        }
        if (count == 0)
                sum = is_process ? 0 : input->pool->starts.worker_bytes;
        return sum > 0 ? MAX_OF(sum / MAX_OF(count, UINT64_C(1)), WORTH_LEAST_BYTES) : 0;
}

/* Bucket i of waits begins at 2^(i-1) µs. */
static uint64_t count_late(const struct request_durations *waits)
{
        uint64_t count = 0;

        for (unsigned i = 1; i < REQUEST_DURATION_BUCKETS; i++)
                if ((UINT64_C(1) << (i - 1)) >= SIZING_LATE_MS * UINT64_C(1000))
                        count += waits->buckets[i];
        return count;
}

struct sizing_facts sizing_facts_of(const struct sizing_input *input)
{
        const struct status_pool *pool = input->pool;
        struct sizing_facts facts = {.input = input,
                                     .pool = pool,
                                     .requests = pool->totals.requests,
                                     .observed_ms = pool->peaks.observed_ms,
                                     .worker_bytes = find_worker_bytes(input),
                                     .measured = request_durations_count(&pool->waits),
                                     .late = count_late(&pool->waits),
                                     .was_full = pool->totals.saturations > 0 || pool->totals.refused_full > 0};

        facts.is_early = facts.requests < SIZING_REQUESTS || facts.observed_ms < SIZING_OBSERVED_MS;
        facts.busy_milli = pool->totals.busy_ns / 1000 / MAX_OF(facts.observed_ms, UINT64_C(1));
        return facts;
}

bool sizing_is_early(const struct sizing_facts *facts, struct sizing *to)
{
        char observed[FIGURE_MAX];

        if (!facts->is_early)
                return false;
        sizing_leave_open(to);
        sizing_say(to,
                   "too early: %" PRIu64 " request%s in %s; it takes at least %d requests and at least %d minutes "
                   "to say anything",
                   facts->requests, facts->requests == 1 ? "" : "s", figure_duration(facts->observed_ms, observed),
                   SIZING_REQUESTS, SIZING_OBSERVED_MS / 60000);
        return true;
}

uint64_t sizing_workers_in_memory(const struct sizing_facts *facts)
{
        if (facts->worker_bytes == 0 || facts->input->memory_bytes == 0)
                return UINT64_MAX;
        return facts->input->memory_bytes / 4 * 3 / facts->worker_bytes;
}
