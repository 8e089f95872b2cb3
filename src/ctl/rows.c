#include "ctl/rows.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/format.h"

static size_t count_processes(const json_t *document)
{
        const json_t *pool;
        size_t index, count = 0;

        json_array_foreach (ctl_at(document, "pools"), index, pool)
                count += json_array_size(ctl_at(pool, "templates")) + json_array_size(ctl_at(pool, "workers"));
        return count;
}

static int compare_pids(const void *a, const void *b)
{
        const struct ctl_row *one = a, *other = b;

        return (one->pid > other->pid) - (one->pid < other->pid);
}

/* The CPU usage of a worker since `before`, which is always sorted by pid here. */
static double share_since(const struct ctl_row *row, const struct ctl_row *before, size_t count, uint64_t passed_ms)
{
        const struct ctl_row *old = count > 0 ? bsearch(row, before, count, sizeof(*before), compare_pids) : NULL;

        if (!old || passed_ms == 0 || row->cpu_ms < old->cpu_ms)
                return 0;
        return (double)(row->cpu_ms - old->cpu_ms) * 100. / (double)passed_ms;
}

static struct ctl_row row_of(const json_t *pool, const json_t *process, bool is_template)
{
        return (struct ctl_row){.pool = pool,
                                .worker = process,
                                .is_template = is_template,
                                .pid = ctl_number(process, "pid"),
                                .cpu_ms = ctl_number(process, "cpu_ms")};
}

int ctl_rows_new(const json_t *document, uint64_t now_ms, const struct ctl_rows *before, struct ctl_rows *ret)
{
        size_t old_count = before ? before->count : 0;
        struct ctl_rows rows = {.items = calloc(count_processes(document) + 1, sizeof(*rows.items)), .time_ms = now_ms};
        _cleanup_(freep) struct ctl_row *old = calloc(old_count + 1, sizeof(*old));
        const json_t *pool, *process;
        size_t i, j;

        if (!rows.items || !old) {
                free(rows.items);
                return -ENOMEM;
        }
        if (old_count > 0) {
                memcpy(old, before->items, old_count * sizeof(*old));
                qsort(old, old_count, sizeof(*old), compare_pids);
        }
        json_array_foreach (ctl_at(document, "pools"), i, pool) {
                json_array_foreach (ctl_at(pool, "templates"), j, process)
                        rows.items[rows.count++] = row_of(pool, process, true);
                json_array_foreach (ctl_at(pool, "workers"), j, process)
                        rows.items[rows.count++] = row_of(pool, process, false);
        }
        for (i = 0; i < rows.count; i++)
                rows.items[i].share =
                        share_since(&rows.items[i], old, old_count, before ? now_ms - before->time_ms : 0);
        *ret = rows;
        return 0;
}

/* The order of states: active workers come first. */
static uint64_t state_weight(const struct ctl_row *row)
{
        static const char *const states[] = {"idle",     "unwatched", "holding",  "launching", "starting",
                                             "refusing", "retiring",  "detached", "busy",      "terminating",
                                             "killing",  "ending",    "killed"};
        const char *state = ctl_string(row->worker, "state");

        for (size_t i = 0; i < ELEMENTS(states); i++)
                if (text_equal(state, states[i]))
                        return i;
        return 0;
}

static uint64_t weight(const struct ctl_row *row, enum ctl_sort by)
{
        switch (by) {
        case CTL_SORT_STATE:
                return state_weight(row);
        case CTL_SORT_REQUESTS:
                return ctl_number(row->worker, "requests");
        case CTL_SORT_CPU:
                return (uint64_t)(row->share * 1000);
        case CTL_SORT_MEMORY:
                return ctl_number(row->worker, "memory_bytes");
        case CTL_SORT_SINCE:
                return ctl_number(row->worker, "since_ms");
        case CTL_SORT_PID:
        case CTL_SORT_COUNT:
                break;
        }
        return UINT64_MAX - row->pid; /* the smallest first */
}

struct order {
        enum ctl_sort by;
        bool reverse;
};

static int compare(const void *a, const void *b, void *context)
{
        const struct ctl_row *one = a, *other = b;
        const struct order *order = context;
        uint64_t mine = weight(one, order->by), theirs = weight(other, order->by);
        int result = (mine < theirs) - (mine > theirs);

        return result != 0 ? (order->reverse ? -result : result) : compare_pids(one, other);
}

void ctl_rows_sort(struct ctl_rows *rows, enum ctl_sort by, bool reverse)
{
        struct order order = {.by = by, .reverse = reverse};

        if (rows->count > 0) /* without any there may be no array */
                qsort_r(rows->items, rows->count, sizeof(*rows->items), compare, &order);
}

static const struct {
        char key;
        const char *name;
} sorts[] = {
        [CTL_SORT_STATE] = {'s', "state"},   [CTL_SORT_REQUESTS] = {'r', "requests"}, [CTL_SORT_CPU] = {'c', "cpu"},
        [CTL_SORT_MEMORY] = {'m', "memory"}, [CTL_SORT_SINCE] = {'t', "time"},        [CTL_SORT_PID] = {'p', "pid"},
};
static_assert(ELEMENTS(sorts) == CTL_SORT_COUNT, "a key for every enum ctl_sort");

char ctl_sort_key(enum ctl_sort sort)
{
        return sorts[sort].key;
}

const char *ctl_sort_name(enum ctl_sort sort)
{
        return sorts[sort].name;
}

void ctl_rows_clear(struct ctl_rows *rows)
{
        free(rows->items);
        *rows = (struct ctl_rows){0};
}
