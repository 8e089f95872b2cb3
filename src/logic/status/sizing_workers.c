#include "logic/status/sizing_workers.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/figures.h"

/* Saturated for less than this part of the time, a pool is large enough. */
#define RARELY 1000
/* A quarter more than was needed. */
#define WITH_ROOM(count) (((count)*UINT64_C(5) + 3) / 4)

/* What `count` workers would need. */
static void say_memory(const struct sizing_facts *facts, uint64_t count, struct sizing *to)
{
        char each[FIGURE_MAX], all[FIGURE_MAX], there[FIGURE_MAX];

        if (facts->worker_bytes == 0 || facts->input->memory_bytes == 0)
                return;
        sizing_say(to, "; %" PRIu64 " workers of %s each need %s of the %s that %s has", count,
                   figure_size(facts->worker_bytes, each), figure_size(count * facts->worker_bytes, all),
                   figure_size(facts->input->memory_bytes, there), facts->input->memory_of);
}

/* The work of which it is known how many were busy is nearly all that there was: it is counted since the last restart.
 */
static bool knows_concurrency(const struct sizing_facts *facts)
{
        const struct status_pool *pool = facts->pool;

        return pool->concurrency.p999 > 0 && pool->concurrency.work_ms >= pool->totals.busy_ns / 1000000 / 10 * 9;
}

static void say_most(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        char observed[FIGURE_MAX], mean[32];

        sizing_say(to, "at most %u of %u workers were busy at once in %s", pool->peaks.busy, pool->limits.max_workers,
                   figure_duration(facts->observed_ms, observed));
        if (knows_concurrency(facts))
                sizing_say(to, ", no more than %u for 99.9 %% of the work", pool->concurrency.p999);
        sizing_say(to, ", and %s on average", sizing_tenths(facts->busy_milli, mean));
}

static void say_full(const struct sizing_facts *facts, struct sizing *to)
{
        const struct counters *totals = &facts->pool->totals;
        char full[FIGURE_MAX], observed[FIGURE_MAX];

        sizing_say(to, "all %u workers were busy and clients waited or were refused %" PRIu64 " time%s, for %s of %s",
                   facts->pool->limits.max_workers, totals->saturations, totals->saturations == 1 ? "" : "s",
                   figure_duration(totals->saturated_ms, full), figure_duration(facts->observed_ms, observed));
}

/* It was not max_workers that it met: a peak may be missed by a moment, but not by half. */
static bool was_held_back(const struct sizing_facts *facts)
{
        return facts->pool->peaks.busy < facts->pool->limits.max_workers / 2;
}

static void say_held_back(const struct sizing_facts *facts, struct sizing *to)
{
        const struct counters *totals = &facts->pool->totals;
        char full[FIGURE_MAX];

        say_most(facts, to);
        sizing_say(to,
                   "; clients waited or were refused %" PRIu64
                   " time%s, for %s, because of another limit: growth_pressure_limit, or max_workers_total",
                   totals->saturations, totals->saturations == 1 ? "" : "s",
                   figure_duration(totals->saturated_ms, full));
}

/* So many workers keep all processors busy, by what handlers use of them; 0: not known, or they mostly wait. */
static uint64_t busy_processors(const struct sizing_facts *facts, unsigned *ret_percent)
{
        uint64_t busy_us = facts->pool->totals.busy_ns / 1000, cpu_us = facts->pool->totals.handler_cpu_us;
        uint64_t percent = busy_us > 0 ? MIN_OF(cpu_us / MAX_OF(busy_us / 100, UINT64_C(1)), UINT64_C(100)) : 0;

        *ret_percent = (unsigned)percent;
        return percent >= 50 ? (facts->input->cpus * UINT64_C(100) + percent - 1) / percent : 0;
}

/* It was full for a part of the time that matters. */
static void judge_full(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        unsigned max = pool->limits.max_workers, percent;
        uint64_t wanted = MAX_OF(WITH_ROOM(pool->peaks.demand), (uint64_t)max + 1),
                 fit = sizing_workers_in_memory(facts);
        uint64_t enough = busy_processors(facts, &percent);

        if (enough > 0 && max >= 2 * enough) {
                sizing_say(to,
                           "; but handlers use a processor for %u %% of their time, so %" PRIu64
                           " of them keep %u processors busy, and more workers serve nobody sooner",
                           percent, enough, facts->input->cpus);
                return;
        }
        sizing_say(to, "; at most %u connections were served or waited at once, and a quarter more is %" PRIu64,
                   pool->peaks.demand, WITH_ROOM(pool->peaks.demand));
        say_memory(facts, wanted, to);
        if (fit < wanted)
                sizing_say(to, ": three quarters of it are enough for %" PRIu64, fit);
        if (MIN_OF(wanted, fit) > max)
                sizing_change_number(to, MIN_OF(wanted, fit));
}

/* All of them together have no room. */
static bool is_beyond_memory(const struct sizing_facts *facts)
{
        return facts->worker_bytes > 0 && facts->input->memory_bytes > 0 &&
               facts->pool->limits.max_workers > facts->input->memory_bytes / facts->worker_bytes;
}

/* What is more than that many at once can wait, and is not refused. */
static bool can_rest_wait(const struct sizing_facts *facts)
{
        return knows_concurrency(facts) && !facts->pool->refuses;
}

/* A static pool has all its workers always, so most of them should be needed. A thousandth of the work can wait. */
static void judge_static(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        bool can_wait = can_rest_wait(facts);
        uint64_t wanted = MAX_OF(WITH_ROOM(can_wait ? pool->concurrency.p999 : pool->peaks.demand), UINT64_C(1));
        char all[FIGURE_MAX];

        if (wanted > pool->limits.max_workers / 2)
                return;
        if (can_wait)
                sizing_say(to, "; a quarter more than these %u is %" PRIu64, pool->concurrency.p999, wanted);
        else
                sizing_say(to, "; a quarter more than was ever needed is %" PRIu64, wanted);
        if (facts->worker_bytes > 0)
                sizing_say(to, ", for which %s are enough", figure_size(wanted * facts->worker_bytes, all));
        if (can_wait)
                sizing_say(to, ", and what comes beyond can wait");
        sizing_change_number(to, wanted);
}

static void judge_spacious(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        unsigned max = pool->limits.max_workers;
        uint64_t fit = sizing_workers_in_memory(facts);

        say_most(facts, to);
        say_memory(facts, max, to);
        if (is_beyond_memory(facts) && max > 1) {
                sizing_say(to, ": three quarters of it are enough for %" PRIu64, fit);
                sizing_change_number(to, MAX_OF(MIN_OF(fit, (uint64_t)max - 1), UINT64_C(1)));
        } else if (pool->limits.scaling == SCALING_STATIC)
                judge_static(facts, to);
        else
                sizing_say(to, "; a limit that is not reached costs nothing");
}

/* A static pool in which hardly any work has met its limit. Work is known when it has ended: of a pool
 * that is full just now it is not known. */
static bool fits_nearly_all(const struct sizing_facts *facts)
{
        const struct status_pool *pool = facts->pool;

        return pool->limits.scaling == SCALING_STATIC && pool->state != STATUS_POOL_SATURATED && can_rest_wait(facts) &&
               pool->concurrency.p999 < pool->limits.max_workers;
}

static void judge_max_workers(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;

        sizing_begin_number(to, "max_workers", pool->limits.max_workers);
        if (!facts->was_full) {
                if (is_beyond_memory(facts) || !sizing_is_early(facts, to))
                        judge_spacious(facts, to);
                return;
        }
        if (facts->requests < SIZING_REQUESTS / 10 && sizing_is_early(facts, to))
                return;
        if (was_held_back(facts)) {
                say_held_back(facts, to);
                return;
        }
        say_full(facts, to);
        if (fits_nearly_all(facts)) /* a limit that was chosen by that is met now and then */
                sizing_say(to, "; but no more than %u were busy for 99.9 %% of the work", pool->concurrency.p999);
        else if (pool->totals.saturated_ms < facts->observed_ms / RARELY && pool->totals.refused_full == 0)
                sizing_say(to, ", which is less than a thousandth of the time");
        else
                judge_full(facts, to);
}

/* --- when_full ---------------------------------------------------------------------------------------------------- */

/* Clients do not wait for so long. */
#define TOO_LONG_US 10000000
/* After so short a time there would have been a worker for those that were refused. */
#define SHORTLY_MS 1000

static void judge_queue(const struct sizing_facts *facts, struct sizing *to)
{
        uint64_t p99_us = request_durations_percentile_us(&facts->pool->waits, 99);
        char wait[FIGURE_MAX];

        if (facts->measured == 0) {
                sizing_leave_open(to);
                sizing_say(to, "clients waited, and for how long is not known: the kernel says it of TCP alone");
                return;
        }
        sizing_say(to, "99 %% of the connections waited for %s at most", figure_microseconds(p99_us, wait));
        if (p99_us < TOO_LONG_US)
                return;
        sizing_say(to, ", which is longer than most clients do: they are answered sooner if they are refused, and "
                       "queue_timeout refuses only those that have waited");
        sizing_change(to, "refuse");
}

static void judge_refusals(const struct sizing_facts *facts, struct sizing *to)
{
        const struct counters *totals = &facts->pool->totals;
        uint64_t each_ms = totals->saturated_ms / MAX_OF(totals->saturations, UINT64_C(1));
        char each[FIGURE_MAX];

        sizing_say(to,
                   "%" PRIu64 " connections were refused, %" PRIu64
                   " of 100, while the pool was full for %s on average",
                   totals->refused_full,
                   totals->refused_full * 100 / MAX_OF(totals->refused_full + facts->requests, UINT64_C(1)),
                   figure_duration(each_ms, each));
        if (each_ms >= SHORTLY_MS)
                return;
        sizing_say(to, ": so short a wait in the queue would have served them");
        sizing_change(to, "queue");
}

static void judge_when_full(const struct sizing_facts *facts, struct sizing *to)
{
        sizing_begin(to, "when_full", facts->pool->refuses ? "refuse" : "queue");
        if (!facts->was_full) {
                if (!sizing_is_early(facts, to))
                        sizing_say(to, "the pool was never full");
        } else if (facts->pool->refuses)
                judge_refusals(facts, to);
        else
                judge_queue(facts, to);
}

void sizing_judge_workers(const struct sizing_facts *facts, struct sizing *to)
{
        if (facts->pool->counts.unwatched > 0 || text_equal(facts->pool->accounting, "none")) {
                sizing_begin_number(to, "max_workers", facts->pool->limits.max_workers);
                sizing_leave_open(to);
                sizing_say(to, "accounting = none: nobody knows how many workers are busy");
                return;
        }
        judge_max_workers(facts, to);
        judge_when_full(facts, to);
}
