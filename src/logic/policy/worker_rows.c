#include "logic/policy/worker_rows.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define FIRST_CAPACITY 64

bool worker_row_stays(const struct worker_row *row)
{
        return row->purpose != WORKER_REFUSE && worker_life_is_open(&row->life);
}

bool worker_row_counts(const struct worker_row *row)
{
        return worker_row_stays(row) && row->purpose != WORKER_DRAIN;
}

bool worker_row_is_starting(const struct worker_row *row)
{
        return worker_life_is_starting(&row->life);
}

bool worker_row_is_unwatched(const struct worker_row *row)
{
        return row->unwatched && row->life.state == WORKER_READY && !row->stopped;
}

bool worker_row_is_old(const struct worker_rows *rows, const struct worker_row *row)
{
        return row->generation < rows->generation;
}

unsigned worker_row_slots(const struct worker_row *row)
{
        return MAX_OF(row->slots, 1U);
}

unsigned worker_row_idle_slots(const struct worker_row *row)
{
        return row->idle ? worker_row_slots(row) : row->idle_slots;
}

/* The counts that one row adds. */
static struct worker_counts counts_of(const struct worker_row *row, uint64_t generation)
{
        bool gone = row->life.state == WORKER_GONE, serves = !gone && row->purpose != WORKER_REFUSE;
        bool counts = worker_row_counts(row), old = row->generation < generation;
        bool detached = row->life.state == WORKER_DETACHED;
        bool starting = worker_row_is_starting(row) && !row->stopped, unwatched = worker_row_is_unwatched(row);
        unsigned slots = worker_row_slots(row), idle = row->stopped ? 0 : worker_row_idle_slots(row);

        return (struct worker_counts){
                .starting = counts && starting ? slots : 0,
                .idle = counts ? idle : 0,
                .throttled = counts ? MIN_OF(row->throttled, idle) : 0,
                .busy = counts && !starting && !unwatched ? slots - idle : 0,
                .unwatched = counts && unwatched ? slots : 0,
                .detached = serves && detached ? slots : 0,
                .retiring = serves && !counts && !detached ? slots : 0,
                .total = counts ? slots : 0,
                .old_total = counts && old ? slots : 0,
                /* The workers of an earlier roll are old ones now. */
                .surge = counts && row->purpose == WORKER_ROLL && !old ? slots : 0,
                .helpers = worker_row_stays(row) && !counts ? slots : 0,
                .processes = serves && !detached ? slots : 0,
                .places = serves && !detached && row->purpose != WORKER_DRAIN ? slots : 0,
                .processes_all = gone ? 0 : slots,
        };
}

/* Add the row to the counts, or subtract it. Unsigned sums may wrap in between; the result is right. */
#define IN 1U
#define OUT (-1U)

static void sum_up(struct worker_counts *sum, const struct worker_row *row, uint64_t generation, unsigned sign)
{
        const struct worker_counts one = counts_of(row, generation);

        sum->starting += sign * one.starting;
        sum->idle += sign * one.idle;
        sum->throttled += sign * one.throttled;
        sum->busy += sign * one.busy;
        sum->unwatched += sign * one.unwatched;
        sum->detached += sign * one.detached;
        sum->retiring += sign * one.retiring;
        sum->total += sign * one.total;
        sum->old_total += sign * one.old_total;
        sum->surge += sign * one.surge;
        sum->helpers += sign * one.helpers;
        sum->processes += sign * one.processes;
        sum->places += sign * one.places;
        sum->processes_all += sign * one.processes_all;
}

static void count(struct worker_rows *rows, uint32_t row, unsigned sign)
{
        sum_up(&rows->counts, &rows->items[row], rows->generation, sign);
}

void worker_counts_add(struct worker_counts *counts, const struct worker_row *row, uint64_t generation)
{
        sum_up(counts, row, generation, IN);
}

void worker_rows_begin(struct worker_rows *rows, uint64_t generation)
{
        rows->count = 0;
        rows->generation = generation;
        rows->counts = (struct worker_counts){0};
}

int worker_rows_reserve(struct worker_rows *rows, uint32_t more)
{
        uint64_t needed = (uint64_t)rows->count + more;
        uint64_t capacity = MAX_OF(needed, MAX_OF((uint64_t)FIRST_CAPACITY, 2 * (uint64_t)rows->capacity));

        if (needed <= rows->capacity)
                return 0;
        if (capacity >= WORKER_ROW_NONE)
                return -ENOMEM;
        struct worker_row *items = reallocarray(rows->items, capacity, sizeof(*items));
        if (!items)
                return -ENOMEM;
        rows->items = items;
        rows->capacity = (uint32_t)capacity;
        return 0;
}

uint32_t worker_rows_add(struct worker_rows *rows, const struct worker_row *row)
{
        assert(rows->count < rows->capacity);
        rows->items[rows->count] = *row;
        rows->items[rows->count].replacement = rows->items[rows->count].replaces = WORKER_ROW_NONE;
        count(rows, rows->count, IN);
        return rows->count++;
}

void worker_rows_link(struct worker_rows *rows, uint32_t row, uint32_t replacement)
{
        assert(row != replacement && row < rows->count && replacement < rows->count);
        assert(rows->items[row].replacement == WORKER_ROW_NONE && rows->items[replacement].replaces == WORKER_ROW_NONE);
        rows->items[row].replacement = replacement;
        rows->items[replacement].replaces = row;
}

void worker_rows_unlink(struct worker_rows *rows, uint32_t row)
{
        uint32_t replacement = rows->items[row].replacement;

        if (replacement == WORKER_ROW_NONE)
                return;
        rows->items[row].replacement = WORKER_ROW_NONE;
        rows->items[replacement].replaces = WORKER_ROW_NONE;
        worker_rows_set_purpose(rows, replacement, WORKER_SERVE);
}

enum worker_action worker_rows_feed(struct worker_rows *rows, uint32_t row, enum worker_event event, uint64_t now_ms)
{
        struct worker_row *item = &rows->items[row];

        count(rows, row, OUT);
        enum worker_action action = worker_life_feed(&item->life, event, now_ms);
        item->idle &= item->life.state == WORKER_READY;
        if (!worker_life_is_open(&item->life))
                item->idle_slots = 0;
        count(rows, row, IN);
        return action;
}

void worker_rows_set_purpose(struct worker_rows *rows, uint32_t row, enum worker_purpose purpose)
{
        count(rows, row, OUT);
        rows->items[row].purpose = purpose;
        count(rows, row, IN);
}

uint32_t worker_rows_find_refuser(const struct worker_rows *rows)
{
        for (uint32_t i = 0; i < rows->count; i++)
                if (rows->items[i].purpose == WORKER_REFUSE)
                        return i;
        return WORKER_ROW_NONE;
}

void worker_rows_clear(struct worker_rows *rows)
{
        free(rows->items);
        *rows = (struct worker_rows){0};
}
