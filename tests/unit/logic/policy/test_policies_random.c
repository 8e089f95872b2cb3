/* All policies of a pool's turn against a simulated pool, over random traces with a fixed seed: what must hold in each
 * turn, and what a pool comes to when nothing happens any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "unit/logic/policy/pool_simulation.h"

#define TRACES 300
#define PHASES 4
#define EVENTS 25
#define ROUNDS 5
#define SETTLE_MS 3600000
#define SATURATED_MS 12000 /* a saturated pool looks every ten seconds, and then a second later */

/* --- what holds in each turn ----------------------------------------------------------------------------------------
 */

/* The counts are those of the rows: written down independently. */
static void check_counts(const struct sim *s)
{
        const struct worker_rows *rows = &s->turn.rows;
        unsigned total = 0, idle = 0, starting = 0, old = 0, surge = 0, all = 0, room = 0, detached = 0, helpers = 0;
        unsigned unwatched = 0;

        for (uint32_t i = 0; i < rows->count; i++) {
                const struct worker_row *row = &rows->items[i];
                bool refuses = row->purpose == WORKER_REFUSE, is_old = row->generation < s->generation;
                bool ends = row->life.retired || row->life.state >= WORKER_ENDING;
                unsigned slots = MAX_OF(row->slots, 1U);
                all += row->life.state != WORKER_GONE ? slots : 0;
                room += !refuses && row->life.state != WORKER_DETACHED && row->life.state != WORKER_GONE ? slots : 0;
                detached += row->life.state == WORKER_DETACHED ? slots : 0;
                helpers += row->purpose == WORKER_DRAIN && !ends ? slots : 0;
                if (refuses || ends || row->purpose == WORKER_DRAIN)
                        continue;
                total += slots;
                idle += row->idle ? slots : 0;
                starting += row->life.state <= WORKER_STARTING ? slots : 0;
                unwatched += row->unwatched && row->life.state == WORKER_READY ? slots : 0;
                old += is_old ? slots : 0;
                surge += row->purpose == WORKER_ROLL && !is_old ? slots : 0;
        }
        const struct worker_counts *c = &rows->counts;
        CHECK(s, c->total == total && c->idle == idle && c->starting == starting && c->unwatched == unwatched);
        CHECK(s, c->busy == total - idle - starting - unwatched);
        CHECK(s, c->old_total == old && c->surge == surge && c->processes_all == all && c->processes == room);
        CHECK(s, c->detached == detached && c->helpers == helpers && c->retiring == room - total);
}

/* Who may have a replacement does not go without one, unless the pool is full at that moment, or was when the worker
 * was let go for the first time: its question may have cleared that answer. */
static void check_let_go(const struct sim *s, const struct order *order, const struct worker_rows *rows)
{
        const struct worker_row *row = &rows->items[order->row];
        unsigned own = row->idle && worker_row_counts(row) ? worker_row_slots(row) : 0;
        unsigned others = rows->counts.idle + rows->counts.starting - own;

        CHECK(s, row->recycling == RECYCLE_LET_GO || row->replacement != WORKER_ROW_NONE ||
                         s->config.scaling == SCALING_ONDEMAND || s->closing_down || row->purpose == WORKER_DRAIN ||
                         others >= s->turn.limits.max_spare ||
                         rows->counts.total + pool_config_threads(&s->config) > s->turn.limits.max_workers);
}

/* What a pool may have while the pressure is above its limit. */
static uint64_t under_pressure(const struct sim *s)
{
        uint64_t limit = s->config.growth_pressure_limit.percent[PRESSURE_CPU] * PRESSURE_ONE_PERCENT;
        uint64_t threads = pool_config_threads(&s->config);

        if (s->turn.pressure[PRESSURE_CPU].at_ms == 0 || s->turn.pressure[PRESSURE_CPU].share <= limit)
                return UINT64_MAX;
        uint64_t least = s->config.scaling == SCALING_ONDEMAND
                                 ? 1
                                 : MAX_OF(MAX_OF(s->config.min_spare_workers, s->config.start_workers), UINT64_C(1));
        return MAX_OF(s->unpressed, (least + threads - 1) / threads * threads);
}

/* Who stands for another one does not count. */
static unsigned single_total(const struct worker_rows *rows)
{
        const struct worker_counts *c = &rows->counts;
        unsigned total = c->total - MIN_OF(c->surge, c->old_total);

        for (uint32_t i = 0; i < rows->count; i++)
                if (rows->items[i].replacement != WORKER_ROW_NONE && worker_row_counts(&rows->items[i]))
                        total -= worker_row_slots(&rows->items[i]);
        return total;
}

static void check_launch(const struct sim *s, const struct order *order, const struct worker_rows *rows)
{
        uint64_t threads = pool_config_threads(&s->config), surge = MAX_OF(pool_config_surge(&s->config), threads);
        uint64_t slots = order->count * threads;
        const struct worker_counts *c = &rows->counts;

        CHECK(s, order->count > 0 && rows->count == order->row);
        CHECK(s, order->purpose == WORKER_REFUSE || !turn_is_backing_off(&s->turn));
        CHECK(s, order->purpose != WORKER_REPLACE || c->total + slots <= s->config.max_workers);
        CHECK(s, order->purpose != WORKER_ROLL || c->processes + slots <= s->config.max_workers + surge);
        CHECK(s, order->purpose != WORKER_SERVE ||
                         c->total - MIN_OF(c->surge, c->old_total) + slots <= s->config.max_workers);
        CHECK(s, order->purpose != WORKER_SERVE || single_total(rows) + slots <= under_pressure(s));
        CHECK(s, order->purpose != WORKER_DRAIN || c->helpers == 0 ||
                         c->processes + slots <= s->config.max_workers + surge);
}

/* Carry one out on the rows as they were at the beginning. */
static void replay(const struct sim *s, const struct order *order, struct worker_rows *rows)
{
        const struct worker_row *at = &rows->items[order->row % MAX_OF(rows->count, 1U)];
        bool goes = order->kind == ORDER_RETIRE || (order->kind == ORDER_LET_GO && (at->idle || at->slots > 1));

        if (order->kind == ORDER_LAUNCH)
                for (unsigned i = 0; i < order->count; i++)
                        worker_rows_add(rows,
                                        &(struct worker_row){.purpose = order->purpose,
                                                             .generation = s->generation,
                                                             .slots = turn_slots_of_worker(&s->turn, order->purpose)});
        else if (goes || order->kind == ORDER_FEED || order->kind == ORDER_GIVE_UP)
                worker_rows_feed(rows, order->row, goes ? WORKER_EVENT_RETIRE : order->event, s->now_ms);
        else if (order->kind == ORDER_SETTLE)
                worker_rows_set_purpose(rows, order->row, WORKER_SERVE);
        else if (order->kind == ORDER_SERVE_ON)
                worker_rows_unlink(rows, order->row);
        if (order->kind == ORDER_LAUNCH && order->purpose == WORKER_REPLACE)
                worker_rows_link(rows, order->replaces, order->row);
}

static void check_orders(struct sim *s, struct worker_rows *rows)
{
        unsigned launched = 0, recycling = 0, all_before = rows->counts.processes_all;

        for (size_t i = 0; i < s->turn.orders.count; i++) {
                const struct order *order = &s->turn.orders.items[i];
                const struct closing_row *item = &s->closing[order->row % SIM_LISTENERS];
                if (order->kind == ORDER_LAUNCH)
                        check_launch(s, order, rows);
                else if (order->kind == ORDER_LET_GO)
                        check_let_go(s, order, rows);
                else if (order->kind == ORDER_CLOSE)
                        CHECK(s, item->queued == 0 || (item->stays_open && s->accepted >= item->enough_accepted));
                launched += order->count;
                replay(s, order, rows);
                s->most_single = MAX_OF(s->most_single, single_total(rows));
        }
        /* Carried out they lead to what the policies went by. */
        CHECK(s, rows->count == s->turn.rows.count);
        CHECK(s, memcmp(&rows->counts, &s->turn.rows.counts, sizeof(rows->counts)) == 0);
        for (uint32_t i = 0; i < rows->count; i++)
                recycling +=
                        s->turn.rows.items[i].recycling != RECYCLE_NONE && worker_row_counts(&s->turn.rows.items[i]);
        CHECK(s, launched <= TURN_LAUNCHES && rows->counts.processes_all <= MAX_OF(s->process_limit, all_before));
        CHECK(s, recycling <= s->config.max_recycling);
        CHECK(s, s->turn.next_ms > s->now_ms);
}

/* A copy with room for what a turn may add. */
static void copy_rows(struct sim *s, const struct worker_rows *rows, struct worker_rows *copy)
{
        worker_rows_begin(copy, s->generation);
        CHECK(s, worker_rows_reserve(copy, rows->count + TURN_LAUNCHES) == 0);
        for (uint32_t i = 0; i < rows->count; i++)
                worker_rows_add(copy, &rows->items[i]);
        for (uint32_t i = 0; i < rows->count; i++)
                if (rows->items[i].replacement != WORKER_ROW_NONE)
                        worker_rows_link(copy, i, rows->items[i].replacement);
}

static bool says_something(const struct turn *turn)
{
        for (size_t i = 0; i < turn->orders.count; i++)
                if (turn->orders.items[i].kind != ORDER_NOTE_QUEUE)
                        return true;
        return turn->again;
}

/* The facts as `turn` left them, for another one at the same moment. */
static void follow(struct sim *s, const struct turn *turn, struct turn *next, struct scaling_state *scaling,
                   struct closing_row *closing)
{
        turn_begin(next, s->now_ms, s->generation);
        fill_in_facts(s, next, scaling, closing);
        next->low_water = turn->levels.reset_low_water ? turn->rows.counts.idle : turn->low_water;
        copy_rows(s, &turn->rows, &next->rows);
        take_pressure(s, next);
}

/* Asked again and again at this moment, with what their orders lead to, the policies soon have nothing to add: no
 * master spins. Of workers that report nothing a few at a time are retired. */
static void check_they_come_to_an_end(struct sim *s)
{
        struct turn turns[2] = {0};
        const struct turn *turn = &s->turn;
        unsigned unwatched = s->turn.rows.counts.unwatched;
        struct scaling_state scaling = s->scaling;
        struct closing_row closing[SIM_LISTENERS];

        memcpy(closing, s->closing, sizeof(closing));
        for (unsigned round = 0; says_something(turn); round++) {
                CHECK(s, round < ROUNDS + unwatched);
                follow(s, turn, &turns[round % 2], &scaling, closing);
                turn = &turns[round % 2];
                policies_decide(&turns[round % 2]);
        }
        turn_clear(&turns[0]);
        turn_clear(&turns[1]);
}

/* A row whose order was carried out is as the turn said, unless its worker has ended. */
static void check_carried_out(struct sim *s)
{
        for (uint32_t i = 0; i < s->turn.rows.count; i++) {
                const struct worker_row *row = &s->turn.rows.items[i];
                const struct sim_worker *worker = worker_of(s, i);
                if (worker && row->life.state != WORKER_LAUNCHING)
                        CHECK(s, worker->row.life.state == row->life.state &&
                                         worker->row.life.retired == row->life.retired);
        }
}

/* As master/pool/scaler does it: of levels that have changed, one may have been crossed already. */
static void publish(struct sim *s)
{
        const struct turn_levels *levels = &s->turn.levels;
        unsigned idle = idle_set_size(s);

        if (levels->low_below != s->low_below || levels->high_above != s->high_above)
                s->woken |= (idle < levels->low_below && levels->low_below != UINT32_MAX) || idle > levels->high_above;
        s->low_below = levels->low_below;
        s->high_above = levels->high_above;
}

static void take_turn(struct sim *s)
{
        s->woken = false;
        s->turns++;
        take_snapshot(s);
        copy_rows(s, &s->turn.rows, &s->before);
        s->most_single = single_total(&s->turn.rows);
        if (s->reloaded) /* to its new generation, who stood for an old worker is one of the old ones */
                s->unpressed = MAX_OF(s->unpressed, s->most_single);
        s->reloaded = false;
        policies_decide(&s->turn);
        check_counts(s);
        check_orders(s, &s->before);
        check_they_come_to_an_end(s);
        for (size_t i = 0; i < s->closing_count; i++)
                s->closing[i].closed = false; /* an order is no deed */
        if (under_pressure(s) == UINT64_MAX)
                s->unpressed = s->most_single;
        carry_out(s);
        check_carried_out(s);
        publish(s);
        s->woken |= s->not_before_ms > s->now_ms && s->turn.next_ms > s->not_before_ms;
}

/* Everything that happens without the clock: workers and turns until both are at rest. */
static void come_to_rest(struct sim *s)
{
        for (unsigned rounds = 0;; rounds++) {
                all_live(s);
                s->woken |= s->turn.again || s->now_ms >= s->turn.next_ms;
                if (!s->woken)
                        break;
                CHECK(s, rounds < 500);
                take_turn(s);
        }
}

/* --- what happens ---------------------------------------------------------------------------------------------------
 */

static struct sim_worker *any_worker(struct sim *s)
{
        struct sim_worker *worker = &s->workers[random_below(s, MIN_OF(SIM_WORKERS, 20U))];

        return worker->exists ? worker : NULL;
}

static void close_listener(struct sim *s, bool stays)
{
        if (s->closing_count == SIM_LISTENERS)
                return;
        unsigned queued = random_below(s, 5);
        s->closing[s->closing_count++] = (struct closing_row){.last_generation = s->generation,
                                                              .closing_since_ms = s->now_ms,
                                                              .queued = queued,
                                                              .queue_known = true,
                                                              .stays_open = stays,
                                                              .enough_accepted = s->accepted + queued,
                                                              .no_handshakes = random_below(s, 2)};
}

/* Programs that report, programs that do not, and what inetd calls wait. */
static void random_accounting(struct sim *s)
{
        struct pool_config *config = &s->config;

        if (config->threads_per_worker > 1) /* which programs do not have */
                return;
        config->handler_type = HANDLER_LISTENER;
        config->accounting = random_below(s, 2) ? ACCOUNTING_NONE : ACCOUNTING_PRELOAD;
        config->listen_fd = random_below(s, 2) ? LISTEN_FD_ZERO : LISTEN_FD_THREE;
}

static void something_happens(struct sim *s)
{
        struct sim_worker *worker = any_worker(s);

        switch (random_below(s, 15)) {
        case 0:
                if (worker)
                        worker_ends(s, worker);
                break;
        case 1:
                if (worker)
                        worker->stopped = !worker->stopped;
                break;
        case 2:
                if (random_below(s, 3) == 0)
                        close_listener(s, false);
                if (random_below(s, 4) == 0)
                        random_accounting(s);
                s->generation++;
                s->reloaded = true;
                s->woken = true;
                break;
        case 3 ... 6:
                s->now_ms += random_below(s, random_below(s, 3) ? 100 : 12000);
                break;
        case 7:
                s->woken = true; /* for no reason of ours */
                break;
        case 8:
                s->pressure = random_below(s, 2) ? random_below(s, PRESSURE_ALL + 1) : 0;
                break;
        default:
                s->queued += random_below(s, random_below(s, 4) ? 3 : 20);
        }
        come_to_rest(s);
}

/* --- nothing happens any more ---------------------------------------------------------------------------------------
 */

static void pass_time(struct sim *s, uint64_t ms)
{
        uint64_t until_ms = s->now_ms + ms, turns = s->turns;

        come_to_rest(s);
        for (unsigned moments = 0; s->now_ms < until_ms; moments++) {
                uint64_t next_ms = MIN_OF(next_life_ms(s), s->turn.next_ms);
                CHECK(s, moments < 200000);
                s->now_ms = MIN_OF(MAX_OF(next_ms, s->now_ms + 1), until_ms);
                come_to_rest(s);
        }
        /* Tickless: with age every worker is replaced now and then, a saturated pool looks every ten seconds, and that
         * is all. */
        if (s->config.max_worker_age_ms == 0 && s->closing_count == 0)
                CHECK(s, s->turns - turns < UINT64_C(20) * SIM_WORKERS + ms / 1000);
}

static void settle(struct sim *s)
{
        s->calm = true;
        for (unsigned i = 0; i < SIM_WORKERS; i++) {
                struct sim_worker *worker = &s->workers[i];
                worker->stopped = false;
                if (worker->exists && worker->done_at_ms >= SIM_FOREVER_MS)
                        worker->done_at_ms = s->now_ms + 10;
        }
        pass_time(s, SETTLE_MS / 60);
        pass_time(s, SATURATED_MS); /* the last of what waited may have been served just now */
        s->woken = true;            /* for the counts of now */
        come_to_rest(s);
        CHECK(s, s->queued == 0 && s->closing_count == 0);
        CHECK(s, s->turn.rows.counts.old_total == 0 && s->turn.rows.counts.surge == 0);
        CHECK(s, s->turn.rows.counts.helpers == 0 && s->turn.rows.counts.retiring == 0);
        CHECK(s, s->turn.rows.counts.total <= s->config.max_workers && !s->scaling.saturation_told);
        CHECK(s, s->turn.rows.counts.processes_all <=
                         s->config.max_workers + s->config.max_recycling * pool_config_threads(&s->config));
        unsigned wanted = s->config.scaling == SCALING_STATIC    ? (unsigned)s->config.max_workers
                          : s->config.scaling == SCALING_DYNAMIC ? (unsigned)s->config.min_spare_workers
                                                                 : 0;
        CHECK(s, s->turn.rows.counts.idle + s->turn.rows.counts.unwatched + s->turn.rows.counts.starting >= wanted);
        for (unsigned i = 0; s->config.max_worker_age_ms == 0 && i < SIM_WORKERS; i++)
                CHECK(s, !s->workers[i].exists || s->workers[i].row.recycling == RECYCLE_NONE);
        s->calm = false;
}

static void random_config(struct sim *s)
{
        struct pool_config *config = &s->config;
        static const uint64_t times[] = {0, 0, 500, 3000, 10000};

        config->scaling = (int)random_below(s, 3);
        config->max_workers = 1 + random_below(s, random_below(s, 4) ? 12 : 3);
        config->min_spare_workers = random_below(s, MIN_OF((unsigned)config->max_workers, 4U) + 1);
        config->max_spare_workers = config->min_spare_workers +
                                    random_below(s, (unsigned)(config->max_workers - config->min_spare_workers) + 1);
        config->start_workers = config->min_spare_workers;
        config->spare_timeout_ms = times[random_below(s, 5)];
        config->when_full = random_below(s, 3) ? FULL_QUEUE : FULL_REFUSE;
        config->max_requests = random_below(s, 3) ? random_below(s, 6) : 0;
        config->max_worker_age_ms = random_below(s, 3) ? 0 : 5000;
        config->max_recycling = 1 + random_below(s, 4);
        config->reload_surge_percent = random_below(s, 101);
        config->start_timeout_ms = 2000;
        config->request_timeout_ms = times[random_below(s, 5)];
        config->request_slowlog_timeout_ms = times[random_below(s, 5)];
        config->kill_timeout_ms = 500;
        config->detach_after_ms = times[random_below(s, 5)];
        config->max_detached_workers = 1 + random_below(s, 3);
        config->growth_pressure_limit.percent[PRESSURE_CPU] = random_below(s, 2) > 0 ? 50 : 0;
        if (s->trace % 3 == 2) { /* with threads */
                config->handler_type = HANDLER_MODULE;
                config->threads_per_worker = 2 + random_below(s, 3);
                config->max_workers *= config->threads_per_worker;
                config->max_detached_workers *= config->threads_per_worker;
        } else
                random_accounting(s);
        s->process_limit = (unsigned)pool_config_process_limit(config) + 1;
}

/* The end: what waits is served, and then nothing is left. */
static void close_down(struct sim *s)
{
        s->closing_down = s->calm = s->woken = true;
        s->queued = 0;
        while (s->closing_count < SIM_LISTENERS)
                close_listener(s, random_below(s, 2));
        settle(s);
        for (unsigned i = 0; i < SIM_WORKERS; i++)
                CHECK(s, !s->workers[i].exists);
}

static void run_trace(struct sim *s, unsigned number)
{
        *s = (struct sim){.trace = number,
                          .now_ms = 1,
                          .generation = 1,
                          .woken = true,
                          .turn = {.rows = s->turn.rows, .orders = s->turn.orders},
                          .before = s->before};
        s->seed = (number + 1) * 0x9e3779b97f4a7c15ULL;
        random_config(s);
        for (unsigned phase = 0; phase < PHASES; phase++) {
                for (unsigned events = random_below(s, EVENTS); events > 0; events--)
                        something_happens(s);
                settle(s);
        }
        s->config.scaling = SCALING_ONDEMAND; /* settle() wants nobody */
        close_down(s);
}

/* ./check --long wants many more. */
static unsigned count_traces(void)
{
        const char *wanted = getenv("PREFORKD_TEST_TRACES");

        return wanted ? (unsigned)strtoul(wanted, NULL, 10) : TRACES;
}

static void properties_over_random_traces(void **state)
{
        struct sim *s = calloc(1, sizeof(*s));

        (void)state;
        assert_non_null(s);
        for (unsigned number = 0; number < count_traces(); number++)
                run_trace(s, number);
        turn_clear(&s->turn);
        worker_rows_clear(&s->before);
        free(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(properties_over_random_traces),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
