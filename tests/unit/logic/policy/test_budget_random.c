/* Pools that share a budget, simulated over random traces with a fixed seed: the total holds at every moment, everybody
 * is served in the end, whoever else waits, and the master does not spin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "logic/policy/budget_turn.h"
#include "unit/logic/policy/pool_simulation.h"

#define TRACES 60
#define POOLS 5
#define EVENTS 60
#define MOMENTS 200000

struct shared {
        struct budget budget;
        struct sim pools[POOLS];
        struct budget_row rows[POOLS];
        unsigned count;
        unsigned most; /* what the pools may have had when the total was lowered */
};

static struct worker_counts count(const struct sim *s)
{
        struct worker_counts counts = {0};

        for (unsigned i = 0; i < SIM_WORKERS; i++)
                if (s->workers[i].exists) {
                        struct worker_row row = s->workers[i].row;
                        row.idle = s->workers[i].in_idle_set && row.life.state == WORKER_READY;
                        worker_counts_add(&counts, &row, s->generation);
                }
        return counts;
}

static unsigned places(const struct shared *all)
{
        unsigned sum = 0;

        for (unsigned i = 0; i < all->count; i++)
                sum += count(&all->pools[i]).places;
        return sum;
}

static void publish(struct sim *s)
{
        const struct turn_levels *levels = &s->turn.levels;
        unsigned idle = idle_set_size(s);

        if (levels->low_below != s->low_below || levels->high_above != s->high_above)
                s->woken |= (idle < levels->low_below && levels->low_below != UINT32_MAX) || idle > levels->high_above;
        s->low_below = levels->low_below;
        s->high_above = levels->high_above;
}

static void take_turn(struct shared *all, unsigned index)
{
        struct sim *s = &all->pools[index];

        s->woken = false;
        s->turns++;
        take_snapshot(s);
        budget_turn_begin(&all->budget, &all->rows[index], &s->turn);
        policies_decide(&s->turn);
        carry_out(s);
        publish(s);
        s->woken |= s->not_before_ms > s->now_ms && s->turn.next_ms > s->not_before_ms;
        const struct worker_counts counts = count(s);
        budget_turn_end(&all->budget, &all->rows[index], &s->turn, &counts, s->now_ms);
        all->most = MIN_OF(all->most, MAX_OF(places(all), all->budget.total));
        CHECK(s, places(all) <= all->most);
        const struct budget_row *next = budget_next(&all->budget, s->now_ms);
        if (next)
                all->pools[next - all->rows].woken = true;
}

static void come_to_rest(struct shared *all)
{
        bool woken = true;

        for (unsigned rounds = 0; woken; rounds++) {
                CHECK(&all->pools[0], rounds < 1000);
                woken = false;
                for (unsigned i = 0; i < all->count; i++) {
                        struct sim *s = &all->pools[i];
                        all_live(s);
                        s->woken |= s->turn.again || s->now_ms >= s->turn.next_ms;
                        if (!s->woken)
                                continue;
                        woken = true;
                        take_turn(all, i);
                }
        }
}

static void move_to(struct shared *all, uint64_t now_ms)
{
        for (unsigned i = 0; i < all->count; i++)
                all->pools[i].now_ms = now_ms;
        come_to_rest(all);
}

static uint64_t next_ms(const struct shared *all)
{
        uint64_t next = SIM_FOREVER_MS;

        for (unsigned i = 0; i < all->count; i++)
                next = MIN_OF(next, MIN_OF(next_life_ms(&all->pools[i]), all->pools[i].turn.next_ms));
        return next;
}

static void pass_time(struct shared *all, uint64_t ms)
{
        uint64_t until_ms = all->pools[0].now_ms + ms;

        come_to_rest(all);
        for (unsigned moments = 0; all->pools[0].now_ms < until_ms; moments++) {
                CHECK(&all->pools[0], moments < MOMENTS);
                move_to(all, MIN_OF(MAX_OF(next_ms(all), all->pools[0].now_ms + 1), until_ms));
        }
}

static void random_pool(struct sim *s, unsigned trace, bool may_be_static)
{
        struct pool_config *config = &s->config;

        s->generation = 1;
        s->now_ms = 1;
        s->woken = s->calm = true;
        s->trace = trace;
        config->scaling = may_be_static        ? (int)random_below(s, 3)
                          : random_below(s, 2) ? SCALING_DYNAMIC
                                               : SCALING_ONDEMAND;
        config->max_workers = config->scaling == SCALING_STATIC ? 1 + random_below(s, 2) : 1 + random_below(s, 12);
        config->min_spare_workers = random_below(s, MIN_OF((unsigned)config->max_workers, 4U) + 1);
        config->max_spare_workers = config->max_workers;
        config->start_workers = config->min_spare_workers;
        config->spare_timeout_ms = random_below(s, 2) ? 10000 : 500;
        config->when_full = random_below(s, 3) ? FULL_QUEUE : FULL_REFUSE;
        config->max_requests = random_below(s, 3) ? 0 : 1 + random_below(s, 6);
        config->max_recycling = 1 + random_below(s, 3);
        config->reload_surge_percent = random_below(s, 101);
        config->start_timeout_ms = 2000;
        if (trace % 3 == 2 && random_below(s, 2)) {
                config->handler_type = HANDLER_MODULE;
                config->threads_per_worker = 2 + random_below(s, 3);
                config->max_workers *= config->threads_per_worker;
        } else if (trace % 3 == 1 && random_below(s, 2)) {
                config->handler_type = HANDLER_LISTENER;
                config->accounting = ACCOUNTING_NONE;
        }
        s->process_limit = (unsigned)pool_config_process_limit(config) + 1;
}

static void something_happens(struct shared *all)
{
        struct sim *s = &all->pools[random_below(&all->pools[0], all->count)];

        switch (random_below(s, 12)) {
        case 0:
                s->generation++;
                s->woken = true;
                break;
        case 1:
                if (s->workers[0].exists)
                        worker_ends(s, &s->workers[0]);
                break;
        case 2 ... 5:
                move_to(all, s->now_ms + random_below(s, random_below(s, 3) ? 100 : 12000));
                break;
        default:
                s->queued += random_below(s, random_below(s, 4) ? 3 : 30);
        }
        come_to_rest(all);
}

static bool somebody_waits(const struct shared *all)
{
        unsigned queued = 0;

        for (unsigned i = 0; i < all->count; i++)
                queued += all->pools[i].queued;
        return queued > 0;
}

/* Nothing happens any more, and everything ends. */
static void settle(struct shared *all)
{
        for (unsigned minutes = 0; minutes < 30 && (minutes == 0 || somebody_waits(all)); minutes++)
                pass_time(all, 60000);
        pass_time(all, 60000);
        for (unsigned i = 0; i < all->count; i++) {
                const struct sim *s = &all->pools[i];
                CHECK(s, s->queued == 0);
                CHECK(s, s->config.scaling != SCALING_STATIC || count(s).total == s->config.max_workers);
                CHECK(s, count(s).old_total == 0);
                CHECK(s, all->rows[i].wants == 0 && !s->scaling.saturation_told);
        }
}

/* One pool has connections without end. */
static void one_is_busy(struct shared *all)
{
        struct sim *busy = &all->pools[random_below(&all->pools[0], all->count)];
        struct sim *other = &all->pools[random_below(&all->pools[0], all->count)];
        uint64_t until_ms;

        busy->queued = 100000;
        come_to_rest(all);
        pass_time(all, 3000);
        other->queued += 3;
        until_ms = busy->now_ms + 60000;
        for (come_to_rest(all); other != busy && other->queued > 0;) {
                CHECK(other, busy->now_ms < until_ms);
                move_to(all, MAX_OF(MIN_OF(next_ms(all), busy->now_ms + 1000), busy->now_ms + 1));
        }
        busy->queued = 0;
}

static void run_trace(struct shared *all, unsigned number)
{
        unsigned always = 0, one = 1;

        all->budget = (struct budget){0};
        all->count = 2 + number % (POOLS - 1);
        for (unsigned i = 0; i < all->count; i++) {
                struct sim *s = &all->pools[i];
                *s = (struct sim){.turn = {.rows = s->turn.rows, .orders = s->turn.orders}, .before = s->before};
                s->seed = (number * POOLS + i + 1) * 0x9e3779b97f4a7c15ULL;
                random_pool(s, number, i > 0);
                always += s->config.scaling == SCALING_STATIC ? (unsigned)s->config.max_workers : 0;
                one = MAX_OF(one, pool_config_threads(&s->config));
                all->rows[i] = (struct budget_row){0};
                budget_add(&all->budget, &all->rows[i]);
        }
        all->most = all->budget.total = always + one + random_below(&all->pools[0], 10);
        for (unsigned events = EVENTS; events > 0; events--)
                something_happens(all);
        settle(all);
        one_is_busy(all);
        settle(all);
        all->budget.total = always + one; /* a reload */
        for (unsigned i = 0; i < all->count; i++)
                all->pools[i].woken = true;
        for (unsigned events = EVENTS; events > 0; events--)
                something_happens(all);
        settle(all);
}

static void properties_over_random_traces(void **state)
{
        struct shared *all = calloc(1, sizeof(*all));

        (void)state;
        assert_non_null(all);
        for (unsigned number = 0; number < TRACES; number++)
                run_trace(all, number);
        for (unsigned i = 0; i < POOLS; i++)
                turn_clear(&all->pools[i].turn);
        free(all);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(properties_over_random_traces),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
