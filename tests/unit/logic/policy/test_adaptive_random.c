/* Adaptive scaling over 10,000 random demand curves, with a fixed seed.
 *
 * With a fixed worth, without spare workers and bounds, and with starts that take no time, a pool never costs more than
 * twice what it would if the curve had been known before, and a start a level. The optimum is found here by trying
 * every number of workers at every step, so the proof by levels is not taken for granted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/policy/adaptive.h"

#define CURVES 10000
#define STEPS 60
#define LEVELS 10

/* From at_ms[i] on there are demand[i] connections; from at_ms[count] on, none. */
struct curve {
        unsigned number;
        uint64_t seed;
        unsigned count;
        uint64_t at_ms[STEPS + 1];
        unsigned demand[STEPS];
};

struct pool {
        struct adaptive_state state;
        struct adaptive_input input;
        uint64_t left_ms[LEVELS];
        uint64_t look_at_ms;
        uint64_t cost_ms;
        unsigned workers, demand;
        unsigned at_step[STEPS]; /* workers at the end of each step */
        unsigned most, spare;
};

static unsigned random_below(struct curve *curve, unsigned limit)
{
        curve->seed ^= curve->seed << 13;
        curve->seed ^= curve->seed >> 7;
        curve->seed ^= curve->seed << 17;
        return (unsigned)(curve->seed >> 20) % limit;
}

/* Pauses around the worth, much shorter and much longer; and often such as fool a rule that waits so long. */
static uint64_t random_pause_ms(struct curve *curve, uint64_t worth_ms)
{
        switch (random_below(curve, 4)) {
        case 0:
                return 1 + random_below(curve, (unsigned)worth_ms / 10);
        case 1:
                return worth_ms + 1;
        case 2:
                return 1 + random_below(curve, 8 * (unsigned)worth_ms);
        default:
                return 1 + random_below(curve, 2 * (unsigned)worth_ms);
        }
}

static void make(struct curve *curve, unsigned number, uint64_t worth_ms)
{
        uint64_t now_ms = 1000;

        *curve = (struct curve){.number = number, .seed = (number + 1) * 0x9e3779b97f4a7c15ULL};
        unsigned levels = 1 + random_below(curve, LEVELS);
        curve->count = 2 + random_below(curve, STEPS - 1);
        for (unsigned i = 0; i < curve->count; i++) {
                curve->at_ms[i] = now_ms;
                curve->demand[i] = i % 2 ? random_below(curve, levels + 1) : random_below(curve, 2) * levels;
                now_ms += random_pause_ms(curve, worth_ms);
        }
        curve->at_ms[curve->count] = now_ms;
}

/* The least cost of a number of workers that is never below the demand: by trying all numbers at every step. */
static uint64_t find_optimum(const struct curve *curve, uint64_t worth_ms)
{
        uint64_t cost[LEVELS + 1], before[LEVELS + 1], least = UINT64_MAX;

        for (unsigned workers = 0; workers <= LEVELS; workers++)
                before[workers] = workers * worth_ms;
        for (unsigned i = 0; i < curve->count; i++) {
                uint64_t lasts_ms = curve->at_ms[i + 1] - curve->at_ms[i];
                for (unsigned workers = 0; workers <= LEVELS; workers++) {
                        cost[workers] = UINT64_MAX / 2;
                        for (unsigned from = 0; from <= LEVELS; from++)
                                cost[workers] = MIN_OF(cost[workers],
                                                       before[from] + (workers > from ? workers - from : 0) * worth_ms);
                        cost[workers] =
                                workers < curve->demand[i] ? UINT64_MAX / 2 : cost[workers] + workers * lasts_ms;
                }
                memcpy(before, cost, sizeof(before));
        }
        for (unsigned workers = 0; workers <= LEVELS; workers++)
                least = MIN_OF(least, before[workers]);
        return least;
}

/* --- the pool ----------------------------------------------------------------------------------------------------- */

static void pass(struct pool *pool, uint64_t now_ms)
{
        pool->cost_ms += pool->workers * (now_ms - pool->input.now_ms);
        pool->input.now_ms = now_ms;
}

static void note_level(struct pool *pool)
{
        if (pool->demand > 0)
                pool->left_ms[pool->demand - 1] = pool->input.now_ms;
}

/* Ask, and carry out: starts take no time. Asked again it advises nothing more. */
static void ask(struct pool *pool)
{
        struct adaptive_input *input = &pool->input;

        for (unsigned turn = 0; turn < 3; turn++) {
                unsigned served = MIN_OF(pool->demand, pool->workers);
                input->total = pool->workers;
                input->idle = pool->workers - served;
                input->queued = pool->demand - served;
                const struct adaptive_advice advice = adaptive_advise(input, &pool->state);
                assert_true(advice.surplus <= input->idle);
                assert_true(turn < 2 || advice.surplus == 0);
                if (advice.reached > 0)
                        pool->left_ms[advice.reached - 1] = input->now_ms;
                unsigned wanted = input->queued + advice.spare;
                unsigned missing = wanted > input->idle ? wanted - input->idle : 0;
                missing = MIN_OF(missing, input->max_workers - pool->workers);
                assert_true(missing == 0 || advice.surplus == 0);
                pool->workers += missing;
                pool->workers -= advice.surplus;
                pool->cost_ms += missing * input->worth.start_ms;
                pool->look_at_ms = advice.look_at_ms;
                if (advice.spare_until_ms > 0)
                        pool->look_at_ms = MIN_OF(pool->look_at_ms, advice.spare_until_ms);
                pool->spare = advice.spare;
                pool->most = MAX_OF(pool->most, pool->workers);
                assert_true(pool->look_at_ms > input->now_ms);
        }
}

static void run(struct pool *pool, const struct curve *curve)
{
        pool->input.now_ms = curve->at_ms[0];
        pool->input.left_ms = pool->left_ms;
        pool->input.levels = LEVELS;
        pool->input.may_fork = true;
        for (unsigned i = 0; i < curve->count; i++) {
                pass(pool, curve->at_ms[i]);
                note_level(pool);
                pool->demand = curve->demand[i];
                note_level(pool);
                ask(pool);
                while (pool->look_at_ms < curve->at_ms[i + 1] && pool->workers > pool->demand) {
                        pass(pool, pool->look_at_ms);
                        ask(pool);
                        unsigned floor = MIN_OF(pool->demand + pool->spare, pool->input.max_workers);
                        assert_true(pool->workers >= MIN_OF(pool->demand, pool->input.max_workers));
                        assert_true(pool->workers >= floor);
                        if (pool->look_at_ms == pool->input.now_ms + 1)
                                break;
                }
                pool->at_step[i] = pool->workers;
        }
        pass(pool, curve->at_ms[curve->count]);
}

static void never_more_than_twice_the_optimum(void **state)
{
        const uint64_t worth_ms = 10000;
        double worst = 0;

        (void)state;
        for (unsigned number = 0; number < CURVES; number++) {
                struct pool pool = {.input = {.worth = {.start_ms = worth_ms},
                                              .max_spare = LEVELS,
                                              .max_spare_ms = UINT64_MAX,
                                              .max_workers = LEVELS}};
                struct curve curve;
                unsigned highest = 0;
                make(&curve, number, worth_ms);
                run(&pool, &curve);
                for (unsigned i = 0; i < curve.count; i++)
                        highest = MAX_OF(highest, curve.demand[i]);
                uint64_t optimum = find_optimum(&curve, worth_ms);
                if (pool.cost_ms > 2 * optimum + highest * worth_ms)
                        fail_msg("curve %u: %llu ms, and the optimum is %llu ms", number,
                                 (unsigned long long)pool.cost_ms, (unsigned long long)optimum);
                assert_true(pool.cost_ms >= optimum);
                worst = MAX_OF(worst, (double)pool.cost_ms / (double)MAX_OF(optimum, (uint64_t)1));
        }
        assert_true(worst > 1.5); /* the curves are hard enough */
}

/* The same curves, a start that is worth more: never fewer workers. */
static void the_more_a_start_is_worth_the_more_are_kept(void **state)
{
        static const uint64_t worths_ms[] = {1000, 5000, 10000, 30000, 120000};

        (void)state;
        for (unsigned number = 0; number < CURVES / 10; number++) {
                unsigned before[STEPS] = {0};
                struct curve curve;
                make(&curve, number, 10000);
                for (size_t i = 0; i < ELEMENTS(worths_ms); i++) {
                        struct pool pool = {.input = {.worth = {.start_ms = worths_ms[i]},
                                                      .max_spare = LEVELS,
                                                      .max_spare_ms = UINT64_MAX,
                                                      .max_workers = LEVELS}};
                        run(&pool, &curve);
                        for (unsigned step = 0; step < curve.count; step++)
                                assert_true(pool.at_step[step] >= before[step]);
                        memcpy(before, pool.at_step, sizeof(before));
                }
        }
}

/* With spare workers that pay and any bounds: never above max_workers, never below the bounds (checked in run()), and
 * at rest no more than min_spare_workers are left. */
static void bounds_hold(void **state)
{
        (void)state;
        for (unsigned number = 0; number < CURVES; number++) {
                struct curve curve;
                make(&curve, number, 10000);
                struct pool pool = {.input = {.worth = {.start_ms = 1000 + random_below(&curve, 60000),
                                                        .wait_ms = random_below(&curve, 2) * UINT64_C(20000),
                                                        .wakeup_ms = random_below(&curve, 2000)},
                                              .max_workers = 1 + random_below(&curve, LEVELS)}};
                pool.input.min_spare = random_below(&curve, pool.input.max_workers + 1);
                pool.input.max_spare = pool.input.min_spare + random_below(&curve, LEVELS);
                pool.input.max_spare_ms = random_below(&curve, 20000);
                run(&pool, &curve);
                assert_true(pool.most <= pool.input.max_workers);
                assert_true(pool.spare >= pool.input.min_spare && pool.spare <= pool.input.max_spare);

                pool.demand = 0;
                ask(&pool);
                for (unsigned looks = 0; looks < 10000 && pool.workers > pool.input.min_spare; looks++) {
                        pass(&pool, pool.look_at_ms);
                        ask(&pool);
                }
                assert_int_equal(pool.workers, pool.input.min_spare);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(never_more_than_twice_the_optimum),
                cmocka_unit_test(the_more_a_start_is_worth_the_more_are_kept),
                cmocka_unit_test(bounds_hold),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
