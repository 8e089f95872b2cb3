#include "logic/policy/turn.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/saturating.h"

/* If memory is short, a turn does less than it should and is repeated after this. */
#define SHORT_OF_MEMORY_MS 100

void turn_begin(struct turn *turn, uint64_t now_ms, uint64_t generation)
{
        struct worker_rows rows = turn->rows;
        struct orders orders = turn->orders;

        worker_rows_begin(&rows, generation);
        orders_begin(&orders);
        *turn = (struct turn){.now_ms = now_ms,
                              .rows = rows,
                              .orders = orders,
                              .next_ms = TURN_NEVER_MS,
                              .levels = {.high_above = UINT32_MAX}};
}

void turn_clear(struct turn *turn)
{
        worker_rows_clear(&turn->rows);
        orders_clear(&turn->orders);
        *turn = (struct turn){0};
}

bool turn_is_backing_off(const struct turn *turn)
{
        return turn->now_ms < turn->not_before_ms;
}

size_t turn_closing_left(const struct turn *turn)
{
        size_t left = 0;

        for (size_t i = 0; i < turn->closing_count; i++)
                left += !turn->closing[i].closed;
        return left;
}

unsigned turn_slots_of_worker(const struct turn *turn, enum worker_purpose purpose)
{
        return purpose == WORKER_REFUSE ? 1 : pool_config_threads(turn->config);
}

unsigned turn_places(const struct turn *turn)
{
        return turn->total_limit > 0 ? turn->grant.places : UINT_MAX;
}

bool turn_has_room(const struct turn *turn)
{
        unsigned threads = pool_config_threads(turn->config);

        return (uint64_t)turn->rows.counts.total + threads <= turn->limits.max_workers && threads <= turn_places(turn);
}

unsigned turn_room_ahead(const struct turn *turn)
{
        uint64_t threads = pool_config_threads(turn->config);
        uint64_t most = turn->limits.max_workers + MAX_OF(pool_config_surge(turn->config), threads);
        uint64_t there = turn->rows.counts.processes;

        return there < most ? (unsigned)((most - there) / threads) : 0;
}

void turn_ask_at(struct turn *turn, uint64_t at_ms)
{
        turn->next_ms = MIN_OF(turn->next_ms, at_ms);
}

bool turn_is_due(struct turn *turn, uint64_t at_ms)
{
        if (turn->now_ms >= at_ms)
                return true;
        turn_ask_at(turn, at_ms);
        return false;
}

/* Append an order. False if there is no memory for it: then nothing changes, and another turn is requested. */
static bool add(struct turn *turn, struct order order, const char *text)
{
        if (orders_add(&turn->orders, &order, text) == 0)
                return true;
        turn_ask_at(turn, saturated_add(turn->now_ms, SHORT_OF_MEMORY_MS));
        return false;
}

/* Helpers and the refuser come in addition to max_workers_total, as to max_workers. */
static bool takes_places(const struct launch *launch)
{
        return launch->purpose != WORKER_DRAIN && launch->purpose != WORKER_REFUSE;
}

/* How many of the workers there is room for. */
static unsigned with_room(const struct turn *turn, const struct launch *launch)
{
        unsigned there = turn->rows.counts.processes_all;
        unsigned slots = there < turn->process_limit ? turn->process_limit - there : 0;

        if (takes_places(launch))
                slots = MIN_OF(slots, turn_places(turn));
        return MIN_OF(launch->count, slots / turn_slots_of_worker(turn, launch->purpose));
}

unsigned turn_launch(struct turn *turn, const struct launch *launch)
{
        unsigned possible = with_room(turn, launch), count = MIN_OF(possible, TURN_LAUNCHES - turn->launches);
        const struct worker_row row = {.life = {.since_ms = turn->now_ms},
                                       .purpose = launch->purpose,
                                       .slots = turn_slots_of_worker(turn, launch->purpose),
                                       .generation = turn->rows.generation,
                                       .launched_ms = turn->now_ms,
                                       .since_ms = turn->now_ms};
        bool replaces = launch->purpose == WORKER_REPLACE;
        const struct order order = {.kind = ORDER_LAUNCH,
                                    .row = turn->rows.count,
                                    .count = count,
                                    .replaces = replaces ? launch->replaces : WORKER_ROW_NONE,
                                    .purpose = launch->purpose,
                                    .reason = launch->reason};

        if (turn->is_deaf && launch->purpose != WORKER_DRAIN)
                return 0;
        if (count == 0) {
                turn->again |= possible > 0;
                return 0;
        }
        if (worker_rows_reserve(&turn->rows, count) < 0) {
                turn_ask_at(turn, saturated_add(turn->now_ms, SHORT_OF_MEMORY_MS));
                return 0;
        }
        if (!add(turn, order, launch->why))
                return 0;
        for (unsigned i = 0; i < count; i++)
                worker_rows_add(&turn->rows, &row);
        turn->launches += count;
        if (takes_places(launch))
                turn->grant.places -= MIN_OF(turn->grant.places, count * row.slots);
        turn->again |= count < possible; /* not if memory is short: the master would spin until it no longer is */
        if (replaces) {
                worker_rows_link(&turn->rows, launch->replaces, order.row);
                turn->rows.items[launch->replaces].recycling = RECYCLE_REPLACING;
        }
        return count;
}

/* A worker whose replacement ends serves on; the recycling policy decides that in the next turn. */
static void feed_row(struct turn *turn, uint32_t row, enum worker_event event)
{
        const struct worker_row *item = &turn->rows.items[row];

        worker_rows_feed(&turn->rows, row, event, turn->now_ms);
        turn->again |= item->replaces != WORKER_ROW_NONE && !worker_row_counts(item);
}

void turn_retire(struct turn *turn, uint32_t row, const char *reason)
{
        if (!worker_life_is_open(&turn->rows.items[row].life))
                return;
        if (add(turn, (struct order){.kind = ORDER_RETIRE, .row = row, .reason = reason}, NULL))
                feed_row(turn, row, WORKER_EVENT_RETIRE);
}

void turn_let_go(struct turn *turn, uint32_t row, const char *reason)
{
        struct worker_row *item = &turn->rows.items[row];

        if (!add(turn, (struct order){.kind = ORDER_LET_GO, .row = row, .reason = reason}, NULL))
                return;
        item->recycling = RECYCLE_LET_GO;
        item->granted = true;
        /* One with threads is retired in any case: what they still serve must not keep the others from being replaced.
         */
        if (item->idle || worker_row_slots(item) > 1)
                feed_row(turn, row, WORKER_EVENT_RETIRE);
}

void turn_serve_on(struct turn *turn, uint32_t row)
{
        struct worker_row *item = &turn->rows.items[row];

        if (item->asks == RECYCLE_NOT_ASKED && item->recycling == RECYCLE_NONE)
                return;
        if (!add(turn, (struct order){.kind = ORDER_SERVE_ON, .row = row}, NULL))
                return;
        worker_rows_unlink(&turn->rows, row);
        item->recycling = RECYCLE_NONE;
        item->asks = RECYCLE_NOT_ASKED;
        item->granted = false;
}

void turn_settle(struct turn *turn, uint32_t row)
{
        if (add(turn, (struct order){.kind = ORDER_SETTLE, .row = row}, NULL))
                worker_rows_set_purpose(&turn->rows, row, WORKER_SERVE);
}

void turn_feed(struct turn *turn, uint32_t row, enum worker_event event)
{
        struct worker_row *item = &turn->rows.items[row];

        if (!add(turn, (struct order){.kind = ORDER_FEED, .row = row, .event = event}, NULL))
                return;
        item->escalated_request = item->request;
        item->escalated_thread = item->thread;
        feed_row(turn, row, event);
}

void turn_give_up(struct turn *turn, uint32_t row, uint64_t duration_ms, const char *what)
{
        const struct order order = {.kind = ORDER_GIVE_UP,
                                    .row = row,
                                    .event = WORKER_EVENT_START_TIMEOUT,
                                    .priority = LOG_ERR,
                                    .duration_ms = duration_ms,
                                    .reason = what};

        /* No other turn, as feed_row() would ask for: who carries the order out knows whether anything has changed. */
        if (add(turn, order, NULL))
                worker_rows_feed(&turn->rows, row, order.event, turn->now_ms);
}

void turn_interrupt(struct turn *turn, uint32_t row)
{
        turn->again |= add(turn, (struct order){.kind = ORDER_INTERRUPT, .row = row}, NULL);
}

void turn_tell_slow(struct turn *turn, uint32_t row)
{
        struct worker_row *item = &turn->rows.items[row];
        const struct order order = {.kind = ORDER_TELL_SLOW, .row = row, .duration_ms = turn->now_ms - item->since_ms};

        if (!add(turn, order, NULL))
                return;
        item->slow_request = item->request;
        item->slow_thread = item->thread;
}

void turn_close(struct turn *turn, size_t closing)
{
        if (add(turn, (struct order){.kind = ORDER_CLOSE, .row = (uint32_t)closing}, NULL))
                turn->closing[closing].closed = true;
}

void turn_note_queue(struct turn *turn, size_t closing)
{
        if (add(turn, (struct order){.kind = ORDER_NOTE_QUEUE, .row = (uint32_t)closing}, NULL))
                turn->closing[closing].waited_ms = turn->now_ms;
}

void turn_note_empty(struct turn *turn, size_t closing)
{
        if (add(turn, (struct order){.kind = ORDER_NOTE_EMPTY, .row = (uint32_t)closing}, NULL))
                turn->closing[closing].emptied_ms = turn->now_ms;
}

void turn_open_listeners(struct turn *turn)
{
        turn->again |= add(turn, (struct order){.kind = ORDER_OPEN_LISTENERS}, NULL);
}

void turn_examine_listeners(struct turn *turn)
{
        turn->again |= add(turn, (struct order){.kind = ORDER_EXAMINE_LISTENERS}, NULL);
}

void turn_record(struct turn *turn, enum order_kind kind, int priority, const char *format, ...)
{
        char text[160];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        add(turn, (struct order){.kind = kind, .priority = priority}, text);
}

void turn_tell_worker(struct turn *turn, uint32_t row, enum worker_event event, int priority, uint64_t duration_ms,
                      const char *what)
{
        add(turn,
            (struct order){.kind = ORDER_TELL_WORKER,
                           .row = row,
                           .event = event,
                           .priority = priority,
                           .duration_ms = duration_ms,
                           .reason = what},
            NULL);
}
