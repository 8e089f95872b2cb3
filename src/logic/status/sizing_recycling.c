#include "logic/status/sizing_recycling.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/figures.h"
#include "logic/policy/worth.h"

/* So many workers are needed to see something. */
#define WORKERS 8
/* What is less than this is chance. */
#define GROWTH_BYTES (UINT64_C(1) << 20)
/* A worker that is replaced after fewer requests costs a noticeable part of them. */
#define HARDLY_ANY 100
#define USUAL 1000

struct half {
        uint64_t requests, bytes; /* on average */
};

static int compare(const void *a, const void *b)
{
        const struct sizing_worker *left = a, *right = b;

        return (left->requests > right->requests) - (left->requests < right->requests);
}

static struct half average(const struct sizing_worker *workers, size_t count)
{
        struct half half = {0};

        for (size_t i = 0; i < count; i++) {
                half.requests += workers[i].requests;
                half.bytes += workers[i].private_bytes;
        }
        count = MAX_OF(count, (size_t)1);
        return (struct half){.requests = half.requests / count, .bytes = half.bytes / count};
}

/* The halves of the workers that have served less and more. False: there are too few to compare, or they have served
 * about as much. -ENOMEM. */
static int compare_halves(const struct sizing_input *input, struct half *less, struct half *more)
{
        _cleanup_(freep) struct sizing_worker *workers = calloc(input->worker_count + 1, sizeof(*workers));
        size_t count = 0;

        if (!workers)
                return -ENOMEM;
        for (size_t i = 0; i < input->worker_count; i++)
                if (input->workers[i].private_bytes > 0)
                        workers[count++] = input->workers[i];
        if (count < WORKERS)
                return 0;
        qsort(workers, count, sizeof(*workers), compare);
        *less = average(workers, count / 2);
        *more = average(&workers[count - count / 2], count / 2);
        return more->requests > 2 * less->requests + 10;
}

/* One figure and zeroes: nobody knows it better. */
static uint64_t rounded(uint64_t number)
{
        uint64_t ten = 1;

        while (number / ten >= 10)
                ten *= 10;
        return number / ten * ten;
}

static void judge_growth(const struct sizing_facts *facts, const struct half *less, const struct half *more,
                         struct sizing *to)
{
        char before[FIGURE_MAX], after[FIGURE_MAX];
        uint64_t present = facts->pool->max_requests;
        bool grows = more->bytes > less->bytes + MAX_OF(less->bytes / 4, GROWTH_BYTES);

        sizing_say(to,
                   "workers have %s of their own after %" PRIu64 " requests, and %s after %" PRIu64 " requests, on "
                   "average",
                   figure_size(less->bytes, before), less->requests, figure_size(more->bytes, after), more->requests);
        if (!grows)
                return;
        uint64_t each = MAX_OF((more->bytes - less->bytes) / (more->requests - less->requests), UINT64_C(1));
        uint64_t doubled = MAX_OF(rounded(MAX_OF(less->bytes, GROWTH_BYTES) / each), (uint64_t)HARDLY_ANY);
        char grown[FIGURE_MAX];
        sizing_say(to, ": %s a request, so that it is twice as much after %" PRIu64 " requests",
                   each < 1024 ? "less than 1K" : figure_size(each, grown), doubled);
        if (present == 0 || present > doubled)
                sizing_change_number(to, doubled);
}

/* Workers are replaced all the time. */
static bool judge_haste(const struct sizing_facts *facts, struct sizing *to)
{
        const struct status_pool *pool = facts->pool;
        char cpu[FIGURE_MAX];

        if (pool->max_requests == 0 || pool->max_requests >= HARDLY_ANY ||
            pool->totals.recycled < facts->requests / HARDLY_ANY)
                return false;
        sizing_say(to, "%" PRIu64 " workers were replaced in %" PRIu64 " requests", pool->totals.recycled,
                   facts->requests);
        if (pool->starts.cpu_us > 0)
                sizing_say(to, ", each for %s of a processor",
                           figure_microseconds(pool->starts.cpu_us + WORTH_MASTER_CPU_US, cpu));
        return true;
}

void sizing_judge_recycling(const struct sizing_facts *facts, struct sizing *to)
{
        struct half less = {0}, more = {0};

        sizing_begin_number(to, "max_requests", facts->pool->max_requests);
        if (sizing_is_early(facts, to))
                return;
        int comparable = compare_halves(facts->input, &less, &more);
        if (comparable < 0)
                to->r = comparable;
        if (comparable > 0)
                judge_growth(facts, &less, &more, to);
        else if (judge_haste(facts, to)) {
                sizing_say(to, "; if handlers lose no memory, %d are enough", USUAL);
                sizing_change_number(to, USUAL);
        } else {
                sizing_leave_open(to);
                sizing_say(to, "whether workers grow is seen when at least %d have served differently many requests",
                           WORKERS);
        }
}
