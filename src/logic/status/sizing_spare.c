#include "logic/status/sizing_spare.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/figures.h"
#include "logic/policy/worth.h"
#include "logic/status/adaptive_words.h"

/* More starts than one for so many requests are many; fewer than one for so many are few. */
#define MANY_FOR 20
#define FEW_FOR 100
/* More late ones than one of so many connections are many. */
#define LATE_OF 100
/* What a hundredth of the memory is not enough for is worth a word. */
#define SMALL_PART 100
#define FAR_LONGER 10

static bool starts_are_quick(const struct sizing_facts *facts)
{
        return facts->pool->starts.duration_us < WORTH_UNNOTICED_MS * UINT64_C(1000);
}

static bool many_are_late(const struct sizing_facts *facts)
{
        return facts->late > facts->measured / LATE_OF;
}

static bool many_were_started(const struct sizing_facts *facts)
{
        return facts->pool->totals.forked_scale > facts->requests / MANY_FOR;
}

/* The largest number whose square is not greater. */
static uint64_t root(uint64_t square)
{
        uint64_t low = 0, high = UINT32_MAX;

        while (low < high) {
                uint64_t middle = low + (high - low + 1) / 2;
                if (middle <= square / MAX_OF(middle, UINT64_C(1)))
                        low = middle;
                else
                        high = middle - 1;
        }
        return low;
}

static bool is_much_memory(const struct sizing_facts *facts, uint64_t workers)
{
        const struct sizing_input *input = facts->input;

        return facts->worker_bytes > 0 && input->memory_bytes > 0 &&
               workers > input->memory_bytes / SMALL_PART / facts->worker_bytes;
}

static void say_late(const struct sizing_facts *facts, struct sizing *to)
{
        if (facts->measured == 0)
                sizing_say(to, "; how long connections waited is not known: the kernel says it of TCP alone");
        else
                sizing_say(to,
                           "; of the %" PRIu64 " connections whose wait is known, %" PRIu64 " waited %d ms or longer",
                           facts->measured, facts->late, SIZING_LATE_MS);
}

/* --- min_spare_workers -------------------------------------------------------------------------------------------- */

/* Square-root staffing: as many as come during a start on average, and twice the root of it for chance. */
static uint64_t say_staffing(const struct sizing_facts *facts, struct sizing *to)
{
        uint64_t start_us = facts->pool->starts.duration_us, observed_ms = MAX_OF(facts->observed_ms, UINT64_C(1));
        uint64_t milli =
                MIN_OF(facts->requests, UINT64_C(1000000000)) * MIN_OF(start_us, UINT64_C(1000000000)) / observed_ms;
        uint64_t chance = root(milli * 1000), wanted = MAX_OF((milli + 2 * chance + 999) / 1000, UINT64_C(1));
        char start[FIGURE_MAX], mean[32];

        sizing_say(to,
                   "a start takes %s, in which %s connections come on average; with twice the root of that for chance, "
                   "%" PRIu64 " spare worker%s enough",
                   figure_microseconds(start_us, start), sizing_tenths(milli, mean), wanted,
                   wanted == 1 ? " is" : "s are");
        return wanted;
}

static void judge_slow_starts(const struct sizing_facts *facts, struct sizing *to)
{
        const struct scale_limits *limits = &facts->pool->limits;
        uint64_t wanted = say_staffing(facts, to);

        say_late(facts, to);
        if (facts->was_full && many_are_late(facts)) {
                sizing_say(to, ", but also because the pool was full: see max_workers first");
                return;
        }
        if (many_are_late(facts))
                wanted = MAX_OF(wanted, (uint64_t)limits->min_spare + 1);
        else if (facts->measured > 0)
                return;
        wanted = MIN_OF(wanted, (uint64_t)limits->max_workers);
        if (wanted > limits->min_spare)
                sizing_change_number(to, wanted);
}

static void judge_quick_starts(const struct sizing_facts *facts, struct sizing *to)
{
        unsigned min_spare = facts->pool->limits.min_spare;
        char start[FIGURE_MAX], memory[FIGURE_MAX];

        sizing_say(to, "a start takes %s, which no client notices",
                   figure_microseconds(facts->pool->starts.duration_us, start));
        if (min_spare <= 1 || !is_much_memory(facts, min_spare - 1))
                return;
        sizing_say(to, "; %u workers fewer save %s", min_spare - 1,
                   figure_size((min_spare - 1) * facts->worker_bytes, memory));
        sizing_change_number(to, 1);
}

static void judge_min_spare(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;

        sizing_begin_number(to, "min_spare_workers", pool->limits.min_spare);
        if (sizing_is_early(facts, to))
                return;
        if (pool->starts.duration_us == 0) {
                sizing_leave_open(to);
                sizing_say(to, "no worker was started while it was measured");
        } else if (starts_are_quick(facts))
                judge_quick_starts(facts, to);
        else
                judge_slow_starts(facts, to);
}

/* --- spare_timeout and max_spare_workers -------------------------------------------------------------------------- */

static void say_starts(const struct sizing_facts *facts, struct sizing *to)
{
        uint64_t starts = facts->pool->totals.forked_scale;
        char cpu[FIGURE_MAX];

        sizing_say(to, "%" PRIu64 " worker%s started for %" PRIu64 " requests", starts, starts == 1 ? " was" : "s were",
                   facts->requests);
        if (facts->pool->starts.cpu_us > 0)
                sizing_say(to, ", with %s of a processor each",
                           figure_microseconds(facts->pool->starts.cpu_us + WORTH_MASTER_CPU_US, cpu));
}

static void say_worth(const struct sizing_facts *facts, struct sizing *to)
{
        _cleanup_(text_clear) struct text arithmetic = {0};
        char worth[FIGURE_MAX];
        const struct status_pool *pool = facts->pool;

        int r = adaptive_words_append_worth(pool, facts->input->memory_bytes, facts->input->cpus, &arithmetic);
        to->r = to->r < 0 ? to->r : r;
        sizing_say(to, "; as much as an idle worker costs in %s%s", figure_duration(pool->starts.worth_ms, worth),
                   text_string(&arithmetic));
}

/* Whole seconds read better. */
static uint64_t rounded_ms(uint64_t ms)
{
        return ms < 1000 ? ms : ms / 1000 * 1000;
}

static void judge_spare_timeout(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        uint64_t present_ms = pool->limits.spare_timeout_ms, worth_ms = rounded_ms(pool->starts.worth_ms);

        sizing_begin_duration(to, "spare_timeout", present_ms);
        if (sizing_is_early(facts, to))
                return;
        say_starts(facts, to);
        if (pool->starts.cpu_us == 0 || worth_ms == 0) /* what it is worth is a guess */
                return;
        say_worth(facts, to);
        bool is_short = many_were_started(facts) && worth_ms > present_ms;
        bool is_long = present_ms / FAR_LONGER > worth_ms && is_much_memory(facts, pool->limits.max_spare);
        if (is_short || is_long)
                sizing_change_duration(to, worth_ms);
}

static void judge_max_spare(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        uint64_t mean = facts->busy_milli / 1000, most = pool->peaks.busy, over = most > mean ? most - mean : 0;
        uint64_t fit = MAX_OF(sizing_workers_in_memory(facts) / 10, (uint64_t)MAX_OF(pool->limits.min_spare, 1U));
        char idle[FIGURE_MAX];

        sizing_begin_number(to, "max_spare_workers", pool->limits.max_spare);
        if (sizing_is_early(facts, to))
                return;
        sizing_say(to,
                   "%" PRIu64 " were busy at once at most and %" PRIu64 " on average, so up to %" PRIu64
                   " become idle after a peak, of which %" PRIu64 " stay",
                   most, mean, over, MIN_OF(over, (uint64_t)pool->limits.max_spare));
        if (pool->limits.max_spare <= fit)
                return;
        sizing_say(to, "; %u idle ones need %s", pool->limits.max_spare,
                   figure_size(pool->limits.max_spare * facts->worker_bytes, idle));
        if (facts->pool->totals.forked_scale <= facts->requests / FEW_FOR)
                sizing_change_number(to, fit);
}

/* --- scaling ------------------------------------------------------------------------------------------------------ */

static void judge_static(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        unsigned max = pool->limits.max_workers, never = max - MIN_OF(pool->peaks.busy, max);
        char memory[FIGURE_MAX];

        sizing_say(to, "%u of %u workers were never needed", never, max);
        if (facts->worker_bytes > 0)
                sizing_say(to, ", and have %s", figure_size(never * facts->worker_bytes, memory));
        if (is_much_memory(facts, never))
                sizing_change(to, "adaptive");
}

/* dynamic and ondemand go by thresholds, which fit a load or do not. */
static void judge_thresholds(const struct sizing_facts *facts, struct sizing *to)
{
        bool late = !starts_are_quick(facts) && many_are_late(facts) && !facts->was_full;

        say_starts(facts, to);
        say_late(facts, to);
        if (!many_were_started(facts) && !late)
                return;
        sizing_say(to, "; adaptive weighs starts, waits and idle workers against each other by itself");
        sizing_change(to, "adaptive");
}

static void judge_adaptive(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        char delay[FIGURE_MAX];

        say_starts(facts, to);
        say_late(facts, to);
        sizing_say(to,
                   "; %" PRIu64 " level%s of demand keep%s a worker, each for %s, and %" PRIu64
                   " spare worker%s started ahead",
                   pool->adaptive.level, pool->adaptive.level == 1 ? "" : "s", pool->adaptive.level == 1 ? "s" : "",
                   figure_duration(pool->adaptive.off_delay_ms, delay), pool->adaptive.spare,
                   pool->adaptive.spare == 1 ? " is" : "s are");
}

static void judge_scaling(const struct sizing_facts *facts, struct sizing *to)
{
        sizing_begin(to, "scaling", status_scaling_name(facts->pool->limits.scaling));
        if (sizing_is_early(facts, to))
                return;
        switch (facts->pool->limits.scaling) {
        case SCALING_STATIC:
                judge_static(facts, to);
                break;
        case SCALING_ADAPTIVE:
                judge_adaptive(facts, to);
                break;
        default:
                judge_thresholds(facts, to);
        }
}

void sizing_judge_spare(const struct sizing_facts *facts, struct sizing *to)
{
        int scaling = facts->pool->limits.scaling;

        if (text_equal(facts->pool->accounting, "none")) /* which sizing_judge_workers() has said */
                return;
        judge_scaling(facts, to);
        if (scaling == SCALING_DYNAMIC) {
                judge_min_spare(facts, to);
                judge_max_spare(facts, to);
        }
        if (scaling == SCALING_DYNAMIC || scaling == SCALING_ONDEMAND)
                judge_spare_timeout(facts, to);
}
