/* A pool without a daemon: workers, clients and a master that carries orders out, on a clock of its own. The policies
 * are asked only when a real master would be woken: by what they published, by a timer they asked for, by ends of
 * workers, by what people do. A worker with threads is idle or busy as a whole. Include after cmocka.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "logic/policy/policies.h"
#include "logic/policy/scaling.h"
#include "logic/policy/turn.h"

#define SIM_WORKERS 200
#define SIM_LISTENERS 3
#define SIM_FOREVER_MS (UINT64_MAX / 2)
#define SIM_ANSWER_MS 1000 /* how long a worker waits for an answer */
#define SIM_BACKOFF_MS 700

struct sim_worker {
        bool exists;
        uint32_t number;       /* of its row in this turn */
        struct worker_row row; /* as the master knows it, with what its slot says */
        struct sim_worker *replacement;
        uint64_t ready_at_ms, done_at_ms, waits_until_ms;
        bool stopped; /* does nothing at all, and does not know it */
        bool told_to_retire, may_go;
        bool is_free, in_idle_set; /* one that reports nothing is never in the set */
        uint64_t served, last_request;
};

struct sim {
        unsigned trace; /* for messages; also the seed */
        uint64_t seed, now_ms, generation;
        struct pool_config config;
        struct scaling_state scaling;
        struct turn turn;
        struct worker_rows before; /* the rows of the snapshot */
        struct sim_worker workers[SIM_WORKERS];
        struct closing_row closing[SIM_LISTENERS];
        size_t closing_count;
        unsigned queued, low_water;
        uint32_t low_below, high_above; /* as published */
        uint64_t accepted, refused, not_before_ms;
        bool closing_down, calm; /* calm: nothing fails and no request is for ever */
        unsigned process_limit;
        unsigned pressure, unpressed; /* of cpu; the workers in the last turn that did not know it above its limit */
        unsigned most_single;         /* workers during this turn, without those that stand for others */
        bool woken, reloaded;         /* a turn is due; the generation is another one since the last */
        uint64_t turns;
};

#define CHECK(sim, condition)                                                                                          \
        do {                                                                                                           \
                if (!(condition))                                                                                      \
                        describe_and_fail(sim, #condition, __LINE__);                                                  \
        } while (0)

static inline void describe_and_fail(const struct sim *s, const char *condition, int line)
{
        const struct worker_counts *c = &s->turn.rows.counts;

        for (unsigned i = 0; i < SIM_WORKERS; i++) {
                const struct worker_row *row = &s->workers[i].row;
                if (s->workers[i].exists)
                        print_error("  %u: %s %s gen %llu%s%s%s%s, recycling %d\n", i,
                                    worker_life_state_name(row->life.state), worker_purpose_name(row->purpose),
                                    (unsigned long long)row->generation, row->life.retired ? " retired" : "",
                                    s->workers[i].in_idle_set ? " idle" : "", row->busy ? " busy" : "",
                                    row->asks ? " asks" : "", row->recycling);
        }
        fail_msg("line %d, trace %u at %llu ms: %s\n  scaling %d max %llu spare %llu-%llu recycling %llu: total %u old "
                 "%u "
                 "surge %u processes %u/%u of %u, queued %u, closing %zu, next %lld, again %d",
                 line, s->trace, (unsigned long long)s->now_ms, condition, s->config.scaling,
                 (unsigned long long)s->config.max_workers, (unsigned long long)s->config.min_spare_workers,
                 (unsigned long long)s->config.max_spare_workers, (unsigned long long)s->config.max_recycling, c->total,
                 c->old_total, c->surge, c->processes, c->processes_all, s->process_limit, s->queued, s->closing_count,
                 (long long)s->turn.next_ms, s->turn.again);
}

static inline unsigned random_below(struct sim *s, unsigned limit)
{
        s->seed ^= s->seed << 13;
        s->seed ^= s->seed >> 7;
        s->seed ^= s->seed << 17;
        return (unsigned)(s->seed >> 20) % limit;
}

static inline unsigned idle_set_size(const struct sim *s)
{
        unsigned count = 0;

        for (unsigned i = 0; i < SIM_WORKERS; i++)
                if (s->workers[i].exists && s->workers[i].in_idle_set)
                        count += worker_row_slots(&s->workers[i].row);
        return count;
}

/* --- workers ------------------------------------------------------------------------------------------------------ */

static inline void leave_idle_set(struct sim *s, struct sim_worker *worker, bool by_itself)
{
        worker->is_free = false;
        if (!worker->in_idle_set)
                return;
        worker->in_idle_set = false;
        if (by_itself) {
                unsigned idle = idle_set_size(s);
                s->low_water = MIN_OF(s->low_water, idle);
                s->woken |= idle < s->turn.levels.low_below;
        }
}

static inline void worker_ends(struct sim *s, struct sim_worker *worker)
{
        for (unsigned i = 0; i < SIM_WORKERS; i++)
                if (s->workers[i].replacement == worker)
                        s->workers[i].replacement = NULL;
        if (worker->replacement)
                worker->replacement->row.purpose = WORKER_SERVE;
        *worker = (struct sim_worker){0};
        s->woken = true;
}

static inline void worker_is_idle(struct sim *s, struct sim_worker *worker)
{
        worker->row.busy = false;
        worker->row.since_ms = s->now_ms;
        bool told_to_end = worker->row.life.state == WORKER_ENDING; /* it was stopped then, and is not any more */
        if (worker->told_to_retire || worker->may_go || told_to_end) {
                worker_ends(s, worker);
                return;
        }
        worker->is_free = true;
        worker->in_idle_set = !worker->row.unwatched;
        s->woken |= idle_set_size(s) > s->turn.levels.high_above;
}

static inline uint64_t request_duration(struct sim *s)
{
        switch (random_below(s, s->calm ? 6 : 8)) {
        case 0 ... 3:
                return random_below(s, 30);
        case 4 ... 5:
                return random_below(s, 3000);
        default:
                return SIM_FOREVER_MS;
        }
}

static inline void worker_accepts(struct sim *s, struct sim_worker *worker)
{
        worker->done_at_ms = s->now_ms + request_duration(s);
        if (worker->row.unwatched) {
                worker->is_free = false;
                return;
        }
        worker->row.busy = true;
        worker->row.since_ms = s->now_ms;
        worker->row.request++;
        worker->served++;
        s->accepted++;
        if (worker->row.asks == RECYCLE_NOT_ASKED && worker->last_request > 0 &&
            worker->served >= worker->last_request) {
                worker->row.asks = RECYCLE_REQUESTS;
                worker->row.asked_ns = s->now_ms * 1000000;
                worker->may_go = false;
                s->woken = true;
        }
        leave_idle_set(s, worker, true);
        s->woken |= s->turn.levels.notify_busy;
}

static inline bool worker_holds(const struct sim_worker *worker, const struct closing_row *item)
{
        const struct worker_row *row = &worker->row;

        if (row->purpose == WORKER_DRAIN)
                return row->generation > item->last_generation;
        return row->generation >= item->since_generation && row->generation <= item->last_generation;
}

/* A helper has nothing but listeners that close; one that has none of them any more ends by itself. */
static inline bool is_done_helper(const struct sim *s, const struct sim_worker *worker)
{
        for (size_t i = 0; i < s->closing_count; i++)
                if (!s->closing[i].closed && worker_holds(worker, &s->closing[i]))
                        return false;
        return worker->row.purpose == WORKER_DRAIN;
}

static inline void worker_looks_for_clients(struct sim *s, struct sim_worker *worker)
{
        if (worker->is_free && is_done_helper(s, worker)) {
                worker_ends(s, worker);
                return;
        }
        for (size_t i = 0; i < s->closing_count; i++)
                if (worker->is_free && s->closing[i].queued > 0 && worker_holds(worker, &s->closing[i])) {
                        s->closing[i].queued--;
                        worker_accepts(s, worker);
                }
        if (worker->is_free && s->queued > 0 && worker->row.purpose != WORKER_DRAIN) {
                s->queued--;
                worker_accepts(s, worker);
        }
}

static inline void worker_request_ends(struct sim *s, struct sim_worker *worker)
{
        worker->row.busy = false;
        worker->row.since_ms = s->now_ms;
        worker->done_at_ms = 0;
        bool by_itself = worker->row.unwatched && pool_config_is_wait(&s->config) && random_below(s, 2);
        if (worker->told_to_retire || worker->may_go || by_itself)
                worker_ends(s, worker);
        else if (worker->row.asks == RECYCLE_NOT_ASKED)
                worker_is_idle(s, worker);
        else
                worker->waits_until_ms = s->now_ms + SIM_ANSWER_MS;
}

static inline void worker_lives(struct sim *s, struct sim_worker *worker)
{
        if (!worker->exists || worker->stopped || worker->row.purpose == WORKER_REFUSE) {
                if (worker->exists && worker->told_to_retire && !worker->stopped)
                        worker_ends(s, worker);
                return;
        }
        if (worker->ready_at_ms > 0) {
                if (s->now_ms < worker->ready_at_ms)
                        return;
                worker->ready_at_ms = 0;
                s->woken = true;
                worker_is_idle(s, worker);
        }
        if (worker->exists && worker->done_at_ms > 0 && s->now_ms >= worker->done_at_ms)
                worker_request_ends(s, worker);
        if (worker->exists && worker->waits_until_ms > 0 && s->now_ms >= worker->waits_until_ms) {
                worker->waits_until_ms = 0; /* it serves on; its question stays */
                worker_is_idle(s, worker);
        }
        bool serves = worker->row.unwatched ? worker->done_at_ms > 0 : worker->row.busy;
        if (worker->exists && !serves && worker->waits_until_ms == 0 && worker->told_to_retire)
                worker_ends(s, worker);
        if (worker->exists)
                worker_looks_for_clients(s, worker);
}

static inline void all_live(struct sim *s)
{
        for (unsigned i = 0; i < SIM_WORKERS; i++)
                worker_lives(s, &s->workers[i]);
        s->woken |= s->queued > 0 && s->turn.levels.watch_listeners;
}

/* The next moment at which a worker does something by itself. */
static inline uint64_t next_life_ms(const struct sim *s)
{
        uint64_t next_ms = SIM_FOREVER_MS;

        for (unsigned i = 0; i < SIM_WORKERS; i++) {
                const struct sim_worker *worker = &s->workers[i];
                const uint64_t times[] = {worker->ready_at_ms, worker->done_at_ms, worker->waits_until_ms};
                for (size_t k = 0; k < ELEMENTS(times); k++)
                        if (worker->exists && !worker->stopped && times[k] > 0)
                                next_ms = MIN_OF(next_ms, times[k]);
        }
        return next_ms;
}

/* --- the master: orders are carried out -----------------------------------------------------------------------------
 */

/* The worker of a row; NULL if it has ended in this turn, or never began. */
static inline struct sim_worker *worker_of(struct sim *s, uint32_t row)
{
        struct sim_worker *worker = s->turn.rows.items[row].worker;

        return worker && worker->exists && worker->number == row ? worker : NULL;
}

static inline void act(struct sim *s, struct sim_worker *worker, enum worker_action action)
{
        switch (action) {
        case WORKER_ACTION_SIGNAL_RETIRE:
                worker->told_to_retire = true;
                leave_idle_set(s, worker, false);
                break;
        case WORKER_ACTION_RELAY_TERM:
        case WORKER_ACTION_RELAY_KILL:
                if (!worker->stopped && random_below(s, 3) > 0)
                        worker->done_at_ms = s->now_ms + 1;
                break;
        case WORKER_ACTION_END:
                if (worker->row.slots > 1)
                        leave_idle_set(s, worker, false);
                if (!worker->stopped)
                        worker_ends(s, worker);
                break;
        case WORKER_ACTION_KILL:
                worker_ends(s, worker);
                break;
        case WORKER_ACTION_NONE:
        case WORKER_ACTION_FORGET:
        case WORKER_ACTION_COUNT:
                break;
        }
}

static inline void feed(struct sim *s, struct sim_worker *worker, enum worker_event event)
{
        if (worker && worker->exists)
                act(s, worker, worker_life_feed(&worker->row.life, event, s->now_ms));
}

/* False if it failed: the pool backs off, and nothing else is launched in this turn. */
static inline bool carry_out_launch(struct sim *s, const struct order *order)
{
        for (unsigned i = 0, slot = 0; i < order->count; i++) {
                if (!s->calm && random_below(s, 20) == 0) {
                        s->not_before_ms = s->now_ms + SIM_BACKOFF_MS;
                        return false;
                }
                while (slot < SIM_WORKERS && s->workers[slot].exists)
                        slot++;
                CHECK(s, slot < SIM_WORKERS);
                struct sim_worker *worker = &s->workers[slot];
                *worker = (struct sim_worker){.exists = true,
                                              .number = order->row + i,
                                              .row = s->turn.rows.items[order->row + i],
                                              .stopped = !s->calm && random_below(s, 40) == 0,
                                              .ready_at_ms = s->now_ms + 1 + random_below(s, 50),
                                              .last_request = s->config.max_requests};
                bool unwatched = s->config.accounting == ACCOUNTING_NONE && order->purpose != WORKER_REFUSE;
                worker->row.worker = s->turn.rows.items[order->row + i].worker = worker;
                worker->row.life = (struct worker_life){.since_ms = s->now_ms};
                worker->row.purpose = order->purpose;
                worker->row.unwatched = unwatched;
                worker_life_feed(&worker->row.life, WORKER_EVENT_LAUNCHED, s->now_ms);
                if (order->purpose == WORKER_REPLACE && worker_of(s, order->replaces)) {
                        worker_of(s, order->replaces)->replacement = worker;
                        worker_of(s, order->replaces)->row.recycling = RECYCLE_REPLACING;
                }
        }
        return true;
}

static inline void answer(struct sim *s, struct sim_worker *worker, bool go)
{
        if (worker->row.asks == RECYCLE_NOT_ASKED || worker->stopped)
                return;
        worker->may_go = go;
        if (go && worker->waits_until_ms > 0)
                worker_ends(s, worker);
        else if (!go && (worker->waits_until_ms > 0 || !worker->row.busy)) {
                worker->row.asks = RECYCLE_NOT_ASKED;
                worker->last_request = worker->served + s->config.max_requests / 10 + 1;
                if (worker->waits_until_ms > 0) {
                        worker->waits_until_ms = 0;
                        worker_is_idle(s, worker);
                }
        } else if (!go) { /* it will see at the end of its request */
                worker->row.asks = RECYCLE_NOT_ASKED;
                worker->last_request = worker->served + s->config.max_requests / 10 + 1;
        }
}

static inline void carry_out_recycling(struct sim *s, const struct order *order, struct sim_worker *worker)
{
        if (order->kind == ORDER_LET_GO) {
                worker->row.recycling = RECYCLE_LET_GO;
                answer(s, worker, true);
                bool is_idle = worker->in_idle_set && worker->row.life.state == WORKER_READY;
                if (worker->exists && (is_idle || worker->row.slots > 1))
                        feed(s, worker, WORKER_EVENT_RETIRE);
                return;
        }
        worker->row.recycling = RECYCLE_NONE;
        if (worker->replacement)
                worker->replacement->row.purpose = WORKER_SERVE;
        worker->replacement = NULL;
        answer(s, worker, false);
}

static inline void carry_out(struct sim *s)
{
        bool failed = false;

        for (size_t i = 0; i < s->turn.orders.count; i++) {
                const struct order *order = &s->turn.orders.items[i];
                bool of_worker = order->kind == ORDER_RETIRE || order->kind == ORDER_LET_GO ||
                                 order->kind == ORDER_SERVE_ON || order->kind == ORDER_SETTLE ||
                                 order->kind == ORDER_FEED || order->kind == ORDER_GIVE_UP ||
                                 order->kind == ORDER_TELL_SLOW;
                struct sim_worker *worker = of_worker ? worker_of(s, order->row) : NULL;
                if (order->kind == ORDER_LAUNCH && !failed)
                        failed = !carry_out_launch(s, order);
                else if (order->kind == ORDER_CLOSE)
                        s->closing[order->row].closed = true;
                else if (order->kind == ORDER_NOTE_QUEUE)
                        s->closing[order->row].waited_ms = s->now_ms;
                else if (order->kind == ORDER_NOTE_EMPTY)
                        s->closing[order->row].emptied_ms = s->now_ms;
                if (!worker)
                        continue;
                if (order->kind == ORDER_RETIRE)
                        feed(s, worker, WORKER_EVENT_RETIRE);
                else if (order->kind == ORDER_SETTLE)
                        worker->row.purpose = WORKER_SERVE;
                else if (order->kind == ORDER_GIVE_UP)
                        feed(s, worker, order->event);
                else if (order->kind == ORDER_FEED) {
                        worker->row.escalated_request = s->turn.rows.items[order->row].request;
                        feed(s, worker, order->event);
                } else if (order->kind == ORDER_TELL_SLOW)
                        worker->row.slow_request = s->turn.rows.items[order->row].request;
                else
                        carry_out_recycling(s, order, worker);
        }
        size_t left = 0;
        for (size_t i = 0; i < s->closing_count; i++)
                if (!s->closing[i].closed)
                        s->closing[left++] = s->closing[i];
        s->closing_count = left;
        if (s->turn.levels.reset_low_water)
                s->low_water = idle_set_size(s);
}

/* --- a turn ------------------------------------------------------------------------------------------------------- */

static inline void fill_in_facts(const struct sim *s, struct turn *turn, struct scaling_state *scaling,
                                 struct closing_row *closing)
{
        static struct listening_state listening; /* nothing is wrong with the listeners */

        turn->config = &s->config;
        turn->limits = scale_limits_of(&s->config);
        turn->process_limit = s->process_limit;
        turn->closing_down = s->closing_down;
        turn->not_before_ms = s->not_before_ms;
        turn->queued = s->closing_down ? 0 : s->queued;
        for (size_t i = 0; s->closing_down && i < s->closing_count; i++)
                turn->queued += closing[i].closed ? 0 : closing[i].queued;
        turn->accepted = s->accepted;
        turn->refused = s->refused;
        turn->low_water = s->low_water;
        turn->closing = closing;
        turn->closing_count = s->closing_count;
        turn->scaling = scaling;
        turn->listening = &listening;
}

/* When the rows are there. */
static inline void take_pressure(const struct sim *s, struct turn *turn)
{
        if (scaling_asks_pressure(turn))
                turn->pressure[PRESSURE_CPU] =
                        (struct pressure_now){.at_ms = s->now_ms - s->now_ms % 250 + 1, .share = s->pressure};
}

static inline void take_snapshot(struct sim *s)
{
        struct turn *turn = &s->turn;
        uint32_t rows[SIM_WORKERS];

        turn_begin(turn, s->now_ms, s->generation);
        fill_in_facts(s, turn, &s->scaling, s->closing);
        CHECK(s, worker_rows_reserve(&turn->rows, SIM_WORKERS) == 0);
        for (unsigned i = 0; i < SIM_WORKERS; i++) {
                struct sim_worker *worker = &s->workers[i];
                if (!worker->exists)
                        continue;
                if (worker->row.life.state == WORKER_STARTING && worker->ready_at_ms == 0 &&
                    worker->row.purpose != WORKER_REFUSE)
                        worker_life_feed(&worker->row.life, WORKER_EVENT_READY, s->now_ms);
                worker->row.worker = worker;
                worker->row.granted = worker->may_go;
                worker->row.idle = worker->in_idle_set && worker->row.life.state == WORKER_READY;
                rows[i] = worker->number = worker_rows_add(&turn->rows, &worker->row);
        }
        for (unsigned i = 0; i < SIM_WORKERS; i++)
                if (s->workers[i].exists && s->workers[i].replacement)
                        worker_rows_link(&turn->rows, rows[i], rows[s->workers[i].replacement - s->workers]);
        take_pressure(s, turn);
}
