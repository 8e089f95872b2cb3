#include "master/pool/turn_orders.h"

#include <assert.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/saturating.h"
#include "master/pool/deadlines.h"
#include "master/pool/drainer.h"
#include "master/pool/launcher.h"
#include "master/pool/listener_health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/recycler.h"
#include "master/pool/worker.h"

/* A failed launch is tried again after this, even if the pool has no back-off. */
#define LAUNCH_AGAIN_MS 100

struct carrying {
        struct pool *pool;
        const struct order *order;
        struct worker *worker; /* the worker of the order; NULL: none, or it could not be launched */
        bool launch_failed;
};

/* False if it failed. */
static bool launch_one(const struct carrying *at, uint32_t row)
{
        struct worker_row *rows = at->pool->turn.rows.items;
        struct worker *worker;

        if (launcher_start(at->pool, at->order->purpose, at->order->reason, &worker) < 0)
                return false;
        worker->row = row;
        rows[row].worker = worker;
        if (at->order->replaces != WORKER_ROW_NONE) {
                struct worker *replaced = rows[at->order->replaces].worker;
                worker_set_replacement(replaced, worker);
                replaced->recycling = RECYCLE_REPLACING;
        }
        return true;
}

static void launch(struct carrying *at)
{
        const char *why = orders_text(&at->pool->turn.orders, at->order);
        struct turn *turn = &at->pool->turn;
        unsigned launched = 0, threads = turn_slots_of_worker(turn, at->order->purpose);
        char of_threads[32] = "";

        while (launched < at->order->count && !at->launch_failed) {
                at->launch_failed = !launch_one(at, at->order->row + launched);
                launched += !at->launch_failed;
        }
        if (threads > 1)
                snprintf(of_threads, sizeof(of_threads), " of %u threads", threads);
        if (launched > 0 && *why)
                pool_record(at->pool, LOG_INFO, "+%u worker%s%s (%s)", launched, launched == 1 ? "" : "s", of_threads,
                            why);
        if (at->launch_failed)
                turn_ask_at(turn, MAX_OF(saturated_add(turn->now_ms, LAUNCH_AGAIN_MS),
                                         at->pool->health.backoff.not_before_ms));
}

static void retire(struct carrying *at)
{
        worker_retire(at->worker, at->order->reason, at->pool->turn.now_ms);
}

static void let_go(struct carrying *at)
{
        recycler_let_go(at->worker, at->order->reason, at->pool->turn.now_ms);
}

static void serve_on(struct carrying *at)
{
        recycler_serve_on(at->worker);
}

static void settle(struct carrying *at)
{
        at->worker->purpose = WORKER_SERVE;
}

static void feed(struct carrying *at)
{
        const struct turn *turn = &at->pool->turn;

        deadlines_feed(at->worker, at->order->event, &turn->rows.items[at->order->row], turn->now_ms);
}

static void give_up(struct carrying *at)
{
        deadlines_give_up(at->worker, at->order, at->pool->turn.now_ms);
}

static void interrupt(struct carrying *at)
{
        deadlines_interrupt(at->worker, &at->pool->turn.rows.items[at->order->row].other);
}

static void close_listener(struct carrying *at)
{
        drainer_finish(at->pool, at->order->row);
}

static void open_listeners(struct carrying *at)
{
        const struct pool_observer *observer = &at->pool->runtime->observer;

        observer->open_listeners(observer->context, at->pool);
}

static void examine_listeners(struct carrying *at)
{
        listener_health_examine(at->pool);
}

static void note_queue(struct carrying *at)
{
        drainer_note_queue(at->pool, at->order->row, at->pool->turn.now_ms);
}

static void note_empty(struct carrying *at)
{
        drainer_note_empty(at->pool, at->order->row, at->pool->turn.now_ms);
}

static void record(struct carrying *at)
{
        pool_record(at->pool, at->order->priority, "%s", orders_text(&at->pool->turn.orders, at->order));
}

static void tell_saturated(struct carrying *at)
{
        pool_counters_note(at->pool, COUNTER_saturations);
        pool_record_event(at->pool, MESSAGE_ID_SATURATED, at->order->priority, "%s",
                          orders_text(&at->pool->turn.orders, at->order));
}

static void tell_relieved(struct carrying *at)
{
        pool_counters_add(at->pool, COUNTER_saturated_ms, pool_counters_saturated_ms(at->pool, at->pool->turn.now_ms));
        pool_record_event(at->pool, MESSAGE_ID_RELIEVED, at->order->priority, "%s",
                          orders_text(&at->pool->turn.orders, at->order));
}

static void tell_slow(struct carrying *at)
{
        deadlines_tell_slow(at->worker, at->order, &at->pool->turn.rows.items[at->order->row]);
}

static void tell_worker(struct carrying *at)
{
        deadlines_tell(at->worker, at->order);
}

static const struct {
        void (*carry_out)(struct carrying *at);
        bool of_worker; /* `row` is a worker */
} kinds[] = {
        [ORDER_LAUNCH] = {launch, false},
        [ORDER_RETIRE] = {retire, true},
        [ORDER_LET_GO] = {let_go, true},
        [ORDER_SERVE_ON] = {serve_on, true},
        [ORDER_SETTLE] = {settle, true},
        [ORDER_FEED] = {feed, true},
        [ORDER_GIVE_UP] = {give_up, true},
        [ORDER_INTERRUPT] = {interrupt, true},
        [ORDER_CLOSE] = {close_listener, false},
        [ORDER_OPEN_LISTENERS] = {open_listeners, false},
        [ORDER_EXAMINE_LISTENERS] = {examine_listeners, false},
        [ORDER_NOTE_QUEUE] = {note_queue, false},
        [ORDER_NOTE_EMPTY] = {note_empty, false},
        [ORDER_RECORD] = {record, false},
        [ORDER_TELL_SATURATED] = {tell_saturated, false},
        [ORDER_TELL_RELIEVED] = {tell_relieved, false},
        [ORDER_TELL_SLOW] = {tell_slow, true},
        [ORDER_TELL_WORKER] = {tell_worker, true},
};
static_assert(ELEMENTS(kinds) == ORDER_KIND_COUNT, "an order that nobody carries out");

void turn_orders_carry_out(struct pool *pool)
{
        struct carrying at = {.pool = pool};

        for (size_t i = 0; i < pool->turn.orders.count; i++) {
                at.order = &pool->turn.orders.items[i];
                bool of_worker = kinds[at.order->kind].of_worker;
                at.worker = of_worker ? pool->turn.rows.items[at.order->row].worker : NULL;
                if (!of_worker || at.worker)
                        kinds[at.order->kind].carry_out(&at);
        }
}
