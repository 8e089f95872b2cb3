/* The scaling policy against a simulated pool, over 10,000 random traces with a fixed seed.
 *
 * The pool wakes the policy as a real one does: by the thresholds it published, by starting workers that become ready,
 * by watched listeners, by its timer, and by ends of workers. So the properties hold of a tickless master: a threshold
 * that is published wrongly shows as a pool that nobody looks after. In half of the traces workers come and go in
 * groups, as threads of a process do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/policy/scale.h"

#define TRACES 10000
#define PHASES 4  /* a trace: phases of random events, after each of which the load stands still */
#define EVENTS 12 /* a phase, at most */
#define LEVELS 256

struct pool {
        unsigned trace; /* for messages; also the seed */
        uint64_t seed, now_ms;
        struct scale_limits limits;
        struct scale_state state;
        struct adaptive_state adaptive;
        struct worth worth;
        uint64_t left_ms[LEVELS]; /* when level i + 1 was busy last, as workers note it */
        unsigned idle, starting, busy, queued, low_water;
        unsigned whole; /* of the idle ones, those in groups without a busy one */
        bool started, may_fork;
        bool slow;  /* idle workers are being woken and have not accepted yet */
        bool woken; /* the policy is to be asked in the next turn */
        bool settling;
        /* What the last decision asked for. */
        unsigned low_below, high_above;
        bool watched;
        uint64_t shrink_at_ms;
        /* What happened. */
        uint64_t workers_started, last_start_ms, questions;
};

#define CHECK(pool, condition)                                                                                         \
        do {                                                                                                           \
                if (!(condition))                                                                                      \
                        describe_and_fail(pool, #condition, __LINE__);                                                 \
        } while (0)

static void describe_and_fail(const struct pool *p, const char *condition, int line)
{
        fail_msg("line %d, trace %u at %llu ms: %s\n  scaling %d min %u max %u limit %u: idle %u starting %u busy %u "
                 "queued %u, low %u high %u, timer %llu, last start %llu",
                 line, p->trace, (unsigned long long)p->now_ms, condition, p->limits.scaling, p->limits.min_spare,
                 p->limits.max_spare, p->limits.max_workers, p->idle, p->starting, p->busy, p->queued, p->low_below,
                 p->high_above, (unsigned long long)p->shrink_at_ms, (unsigned long long)p->last_start_ms);
}

static unsigned random_below(struct pool *p, unsigned limit)
{
        p->seed ^= p->seed << 13;
        p->seed ^= p->seed >> 7;
        p->seed ^= p->seed << 17;
        return (unsigned)(p->seed >> 20) % limit;
}

static unsigned unit(const struct pool *p)
{
        return MAX_OF(p->limits.unit, 1U);
}

static void random_limits(struct pool *p)
{
        p->limits.scaling = (int)random_below(p, 4);
        p->limits.max_workers = unit(p) * (1 + random_below(p, random_below(p, 4) ? 20 : 2));
        p->limits.min_spare = random_below(p, MIN_OF(p->limits.max_workers, 6U) + 1);
        p->limits.max_spare = p->limits.min_spare + random_below(p, p->limits.max_workers - p->limits.min_spare + 1);
        p->limits.start = p->limits.min_spare + random_below(p, p->limits.max_spare - p->limits.min_spare + 1);
}

/* The spare workers the pool must have and may keep. */
static unsigned min_spare(const struct pool *p)
{
        return p->limits.scaling == SCALING_DYNAMIC || p->limits.scaling == SCALING_ADAPTIVE ? p->limits.min_spare : 0;
}

static unsigned total(const struct pool *p)
{
        return p->idle + p->starting + p->busy;
}

/* --- the policy is asked ------------------------------------------------------------------------------------------ */

static struct adaptive_advice advise(struct pool *p, struct adaptive_state *state)
{
        const struct adaptive_input input = {
                .now_ms = p->now_ms,
                .worth = p->worth,
                .idle = p->idle,
                .starting = p->starting,
                .total = total(p),
                .queued = p->queued,
                .min_spare = p->limits.min_spare,
                .max_spare = p->limits.max_spare,
                .max_workers = p->limits.max_workers,
                .max_spare_ms = p->limits.spare_timeout_ms,
                .may_fork = p->may_fork,
                .left_ms = p->left_ms,
                .levels = LEVELS,
        };
        const struct adaptive_advice advice = adaptive_advise(&input, state);

        if (advice.reached > 0)
                p->left_ms[advice.reached - 1] = p->now_ms;
        return advice;
}

static struct scale_decision ask(struct pool *p, struct scale_state *state, struct adaptive_state *adaptive)
{
        struct scale_input input = {
                .now_ms = p->now_ms,
                .idle = p->idle,
                .whole = p->whole,
                .starting = p->starting,
                .total = total(p),
                .queued = p->queued,
                .low_water = p->low_water,
                .started = p->started,
                .may_fork = p->may_fork,
        };

        if (p->limits.scaling == SCALING_ADAPTIVE)
                input.advice = advise(p, adaptive);
        return scale_policy_decide(&p->limits, &input, state);
}

static void check_guarantees(const struct pool *p, const struct scale_decision *d)
{
        CHECK(p, d->start == 0 || d->retire == 0);
        CHECK(p, d->start == 0 || (p->may_fork && total(p) + d->start <= p->limits.max_workers));
        CHECK(p, d->retire <= p->idle && d->start % unit(p) == 0 && d->retire % unit(p) == 0);
        CHECK(p, d->retire_any || unit(p) == 1 || d->retire <= p->whole);
        CHECK(p, d->retire == 0 || p->idle - d->retire >= min_spare(p));
        CHECK(p, (d->reason[0] != '\0') == (d->start + d->retire > 0));
        CHECK(p, !d->saturation_begins || !d->saturation_ends);
        CHECK(p, d->shrink_at_ms == 0 || d->shrink_at_ms > p->now_ms);
        if (d->retire == 0 || total(p) > p->limits.max_workers || p->limits.scaling == SCALING_ADAPTIVE)
                return;
        /* One change of direction, from growing to shrinking, a spare_timeout; only a lowered limit does not wait. */
        CHECK(p, p->workers_started == 0 || p->now_ms >= p->last_start_ms + p->limits.spare_timeout_ms);
        /* Who was needed in that time stays. */
        unsigned lowest = p->limits.spare_timeout_ms > 0 ? MIN_OF(p->idle, p->low_water) : p->idle;
        CHECK(p, lowest >= p->limits.max_spare + d->retire);
}

/* Which groups the busy workers are in: in as few as possible, or in any. */
static void place_busy(struct pool *p, bool tightly)
{
        unsigned most = p->idle - p->idle % unit(p);

        p->whole = tightly || most == 0 ? most : unit(p) * random_below(p, most / unit(p) + 1);
        if (p->busy == 0)
                p->whole = most;
}

static void carry_out(struct pool *p, const struct scale_decision *d)
{
        unsigned leaving_busy = d->retire_any && unit(p) > 1 && d->retire > p->whole ? MIN_OF(p->busy, unit(p) - 1) : 0;

        p->starting += d->start;
        p->busy -= leaving_busy; /* they finish what they serve */
        p->idle -= d->retire - leaving_busy;
        p->whole = p->busy == 0 ? p->idle : p->whole - MIN_OF(p->whole, d->retire);
        if (d->start > 0)
                p->last_start_ms = p->now_ms;
        p->workers_started += d->start;
        p->started |= p->may_fork;
        p->low_below = d->low_below;
        p->high_above = d->high_above;
        p->watched = d->watch_listeners;
        p->shrink_at_ms = d->shrink_at_ms;
        if (d->reset_low_water)
                p->low_water = p->idle;
}

/* Recounting after publishing must not begin another turn, or the master would spin. */
static void check_nothing_is_left_to_say(struct pool *p)
{
        struct scale_state state = p->state;
        struct adaptive_state adaptive = p->adaptive;
        const struct scale_decision again = ask(p, &state, &adaptive);

        CHECK(p, p->idle >= p->low_below && p->idle <= p->high_above);
        CHECK(p, !p->watched || p->queued == 0);
        CHECK(p, again.start == 0 && again.retire == 0);
        CHECK(p, !again.saturation_begins && !again.saturation_ends);
        /* A lowered limit may have retired more than adaptive knew when it said when to look, or levels were not known.
         */
        bool is_other_look = p->limits.scaling == SCALING_ADAPTIVE && again.shrink_at_ms > p->now_ms;
        CHECK(p, again.shrink_at_ms == p->shrink_at_ms || p->queued > 0 || is_other_look);
}

static void decide(struct pool *p)
{
        bool was_saturated = p->state.saturated;
        const struct scale_decision d = ask(p, &p->state, &p->adaptive);

        p->woken = false;
        p->questions++;
        check_guarantees(p, &d);
        CHECK(p, !d.saturation_begins || !was_saturated);
        CHECK(p, !d.saturation_ends || was_saturated);
        carry_out(p, &d);
        if (d.retire_any && unit(p) > 1) { /* which are retired decides how many are left */
                decide(p);
                return;
        }
        check_nothing_is_left_to_say(p);
}

/* --- the workers -------------------------------------------------------------------------------------------------- */

static void become_busy(struct pool *p)
{
        p->idle--;
        p->left_ms[p->busy++] = p->now_ms;
        p->low_water = MIN_OF(p->low_water, p->idle);
        p->woken |= p->idle < p->low_below;
}

static void become_idle(struct pool *p)
{
        p->idle++;
        p->woken |= p->idle > p->high_above;
}

static void accept_queued(struct pool *p)
{
        if (p->slow)
                return;
        for (; p->queued > 0 && p->idle > 0; p->queued--)
                become_busy(p);
        p->woken |= p->queued > 0 && p->watched;
}

/* So many clients are connected from now on, served or waiting. */
static void set_load(struct pool *p, unsigned clients)
{
        while (p->busy + p->queued < clients) {
                p->queued++;
                accept_queued(p);
        }
        while (p->busy + p->queued > clients) {
                if (p->busy == 0) {
                        p->queued--;
                        continue;
                }
                p->left_ms[--p->busy] = p->now_ms;
                become_idle(p);
                accept_queued(p);
        }
}

static void a_worker_dies(struct pool *p)
{
        unsigned *of[] = {&p->idle, &p->starting, &p->busy};
        unsigned *count = of[random_below(p, ELEMENTS(of))];

        if (*count == 0)
                return;
        --*count;
        for (unsigned others = unit(p) - 1, i = 0; others > 0; i++) /* of its group */
                if (*of[i % ELEMENTS(of)] > 0) {
                        --*of[i % ELEMENTS(of)];
                        others--;
                }
        p->woken = true;
}

static void turn(struct pool *p)
{
        for (; p->starting > 0; p->starting--) {
                become_idle(p);
                p->woken = true;
        }
        accept_queued(p);
        p->woken |= p->shrink_at_ms > 0 && p->now_ms >= p->shrink_at_ms;
        place_busy(p, p->settling);
        if (p->woken)
                decide(p);
        if (p->slow) {
                p->slow = false;
                if (random_below(p, 2))
                        p->queued = 0; /* the clients gave up, so that the low-water mark says nothing of them */
                accept_queued(p);
        }
}

static void something_happens(struct pool *p)
{
        switch (random_below(p, 12)) {
        case 0:
                a_worker_dies(p);
                break;
        case 1:
                p->may_fork = !p->may_fork;
                p->woken = true;
                break;
        case 2:
                if (random_below(p, 4) > 0)
                        break;
                random_limits(p);
                p->woken = true;
                break;
        case 3: /* asked for no reason of ours, just when connections have arrived */
                p->slow = p->woken = true;
                set_load(p, p->busy + p->queued + random_below(p, 8));
                break;
        case 4 ... 6:
                p->now_ms += random_below(p, (unsigned)p->limits.spare_timeout_ms + 1000);
                break;
        default:
                set_load(p, random_below(p, random_below(p, 2) ? 25 : 4));
        }
        for (unsigned turns = random_below(p, 3); turns > 0; turns--)
                turn(p);
}

/* --- the load stands still ---------------------------------------------------------------------------------------- */

static void check_provided(const struct pool *p)
{
        bool full = total(p) + unit(p) > p->limits.max_workers;

        CHECK(p, p->starting == 0);
        CHECK(p, full || p->idle >= min_spare(p));
        CHECK(p, full || p->queued == 0);
        CHECK(p, p->limits.scaling != SCALING_STATIC || full);
        /* Past the limit (it was lowered) only by busy workers, and the spare ones that must be kept. */
        CHECK(p, total(p) <= p->limits.max_workers || p->idle < min_spare(p) + unit(p));
        /* Demand that cannot be met has been said, and nothing else. */
        CHECK(p, p->queued == 0 || p->state.saturated);
        CHECK(p, !p->state.saturated || full);
}

static void settle(struct pool *p)
{
        if (!p->may_fork) {
                p->may_fork = true;
                p->woken = true;
        }
        p->settling = true;
        turn(p);
        turn(p);
        uint64_t workers_started = p->workers_started;
        turn(p);
        CHECK(p, p->workers_started == workers_started);
        check_provided(p);

        /* Two spare_timeouts, and what it may take until the end of an episode of saturation is seen. */
        uint64_t until_ms = p->now_ms + 2 * MAX_OF(p->limits.spare_timeout_ms, (uint64_t)1000) + 10000 + 1000;
        /* One, and a pause between two looks, until no more than max_spare workers are idle. */
        uint64_t bound_ms = p->now_ms + p->limits.spare_timeout_ms + 1000;
        bool is_adaptive = p->limits.scaling == SCALING_ADAPTIVE, is_bound = is_adaptive && !p->state.saturated;
        if (is_adaptive) /* until nothing counts that spare workers have earned */
                until_ms += 100 * p->worth.start_ms;
        while (p->shrink_at_ms > 0 && p->shrink_at_ms <= until_ms) {
                CHECK(p, !is_bound || p->shrink_at_ms <= bound_ms || p->idle < p->limits.max_spare + unit(p));
                p->now_ms = p->shrink_at_ms;
                turn(p);
        }
        CHECK(p, p->workers_started == workers_started);
        CHECK(p, p->limits.scaling == SCALING_STATIC || p->idle < p->limits.max_spare + unit(p));
        CHECK(p, !is_adaptive || p->state.saturated || p->idle < min_spare(p) + unit(p));
        CHECK(p, p->shrink_at_ms == 0 || p->state.saturated);
        check_provided(p);

        /* An idle pool sleeps; a saturated one looks now and then whether it still is. */
        uint64_t questions = p->questions;
        p->now_ms = until_ms + 3600000;
        turn(p);
        CHECK(p, p->questions == questions + p->state.saturated);
        p->settling = false;
}

static void run_trace(unsigned number)
{
        struct pool pool = {.trace = number, .now_ms = 1, .may_fork = true, .woken = true};
        struct pool *p = &pool;

        p->seed = (number + 1) * 0x9e3779b97f4a7c15ULL;
        p->limits.spare_timeout_ms = random_below(p, 5) * UINT64_C(5000);
        p->worth.start_ms = 1000 + random_below(p, 20000);
        p->worth.wait_ms = random_below(p, 2) * (uint64_t)random_below(p, 40000);
        p->worth.wakeup_ms = random_below(p, 1000);
        if (number % 2 == 1)
                p->limits.unit = 2 + random_below(p, 5);
        random_limits(p);
        for (unsigned phase = 0; phase < PHASES; phase++) {
                for (unsigned events = random_below(p, EVENTS); events > 0; events--)
                        something_happens(p);
                settle(p);
        }
        set_load(p, 0);
        settle(p);
        CHECK(p, total(p) <= p->limits.max_workers);
        CHECK(p, !p->state.saturated);
}

static void properties_over_random_traces(void **state)
{
        (void)state;
        for (unsigned number = 0; number < TRACES; number++)
                run_trace(number);
}

/* Numbers that contradict each other, as a scoreboard may make them: the guarantees hold all the same. */
static void guarantees_hold_for_any_numbers(void **state)
{
        static const unsigned numbers[] = {0, 1, 2, 3, 7, 8, 100, UINT32_MAX - 1, UINT32_MAX};
        struct pool random = {.seed = 42};

        (void)state;
#define ANY numbers[random_below(&random, ELEMENTS(numbers))]
        for (unsigned i = 0; i < 200000; i++) {
                const struct scale_limits limits = {.scaling = (int)random_below(&random, 4),
                                                    .min_spare = ANY,
                                                    .max_spare = ANY,
                                                    .start = ANY,
                                                    .max_workers = ANY,
                                                    .unit = random_below(&random, 6),
                                                    .spare_timeout_ms = random_below(&random, 2) ? UINT64_MAX : ANY};
                const struct scale_input input = {.now_ms = ANY,
                                                  .idle = ANY,
                                                  .held = ANY,
                                                  .whole = ANY,
                                                  .starting = ANY,
                                                  .total = ANY,
                                                  .queued = ANY,
                                                  .low_water = ANY,
                                                  .started = random_below(&random, 2),
                                                  .may_fork = random_below(&random, 2),
                                                  .advice = {.spare = ANY,
                                                             .surplus = ANY,
                                                             .spare_until_ms = (uint64_t)UINT32_MAX + 1,
                                                             .look_at_ms = (uint64_t)UINT32_MAX + 1 + ANY,
                                                             .look_ms = ANY}};
                struct scale_state memory = {.shrink_at_ms = ANY, .saturated = random_below(&random, 2)};
                const struct scale_decision d = scale_policy_decide(&limits, &input, &memory);
                unsigned unit = MAX_OF(limits.unit, 1U), most = limits.max_workers - limits.max_workers % unit;
                bool pays = limits.scaling == SCALING_ADAPTIVE && input.total <= most;
                bool keeps = limits.scaling == SCALING_DYNAMIC || limits.scaling == SCALING_ADAPTIVE;
                unsigned kept = pays ? MIN_OF(input.advice.spare, most) : keeps ? MIN_OF(limits.min_spare, most) : 0;
                assert_true(d.start % unit == 0 && d.retire % unit == 0);
                assert_true(d.start == 0 || d.retire == 0);
                assert_true(d.start == 0 || (input.may_fork && (uint64_t)input.total + d.start <= limits.max_workers));
                assert_true(d.retire <= input.idle);
                assert_true(d.retire == 0 || input.idle - d.retire >= kept);
                assert_true(input.idle - d.retire <= d.high_above && (d.reason[0] != '\0') == (d.start + d.retire > 0));
                assert_true(d.shrink_at_ms == 0 || d.shrink_at_ms > input.now_ms);
        }
#undef ANY
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(properties_over_random_traces),
                cmocka_unit_test(guarantees_hold_for_any_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
