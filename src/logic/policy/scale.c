#include "logic/policy/scale.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/saturating.h"
#include "base/text.h"

#define NEVER_HIGH UINT32_MAX

/* When to ask again about a surplus beside a queue if spare_timeout is 0. Such workers may report idle and not accept
 * (they may be stopped), so asking again at once would spin. */
#define SURPLUS_PAUSE_MS 1000

/* How often a saturated pool checks whether it still is. */
#define SATURATED_PAUSE_MS 10000

/* How long a saturated pool must have had idle workers before the episode ends. Under load every worker is idle for a
 * moment between two requests, and some of those moments coincide, so one look proves nothing. */
#define RELIEF_MS 1000

/* The input of one decision and the numbers derived from it. */
struct question {
        struct scale_limits limits; /* consistent: min_spare ≤ max_spare ≤ max_workers */
        const struct scale_input *input;
        uint64_t spare;  /* idle and starting */
        uint64_t wanted; /* how many spare workers there should be, waiting connections included */
        unsigned enough; /* so many idle workers are enough: min_spare, at least one */
        unsigned unit;
        uint64_t deficit; /* workers missing; 0: none */
        bool first;       /* the deficit is start_workers: the pool's first decision */
        bool adaptive;
        unsigned max_spare; /* as configured */
};

/* Whole groups: rounded down. */
static unsigned whole_groups(uint64_t value, unsigned unit)
{
        return (unsigned)(value - value % unit);
}

static unsigned clamp(uint64_t value, unsigned most)
{
        return value < most ? (unsigned)value : most;
}

static uint64_t excess(uint64_t value, uint64_t limit)
{
        return value > limit ? value - limit : 0;
}

struct scale_limits scale_limits_of(const struct pool_config *pool)
{
        const unsigned unit = pool_config_threads(pool), most = whole_groups(pool->max_workers, unit);

        return (struct scale_limits){
                .scaling = pool->scaling,
                .min_spare = clamp(pool->min_spare_workers, most),
                .max_spare = clamp(pool->max_spare_workers, most),
                .start = clamp(pool->start_workers, most),
                .max_workers = most,
                .unit = unit,
                .spare_timeout_ms = pool->spare_timeout_ms,
        };
}

static struct scale_limits consistent(struct scale_limits limits)
{
        if (limits.scaling == SCALING_STATIC || limits.scaling == SCALING_ONDEMAND)
                limits.min_spare = 0;
        limits.unit = MAX_OF(limits.unit, 1U);
        limits.max_workers = whole_groups(limits.max_workers, limits.unit);
        limits.min_spare = MIN_OF(limits.min_spare, limits.max_workers);
        limits.max_spare = MIN_OF(MAX_OF(limits.max_spare, limits.min_spare), limits.max_workers);
        return limits;
}

/* Idle workers once the decision is carried out. */
static unsigned idle_left(const struct question *q, const struct scale_decision *d)
{
        return q->input->idle - d->retire;
}

/* Workers that count against max_workers once the decision is carried out. A total that contradicts the idle count does
 * not wrap. */
static uint64_t total_then(const struct question *q, const struct scale_decision *d)
{
        return excess((uint64_t)q->input->total + d->start, d->retire);
}

static struct question ask(const struct scale_limits *limits, const struct scale_input *input)
{
        struct question q = {
                .limits = consistent(*limits),
                .input = input,
                .spare = (uint64_t)input->idle + input->starting,
        };

        q.adaptive = q.limits.scaling == SCALING_ADAPTIVE;
        q.max_spare = q.limits.max_spare;
        if (q.adaptive) { /* neither fewer nor more, apart from what the levels keep */
                bool is_over = input->total > q.limits.max_workers; /* what pays gives way */
                q.limits.min_spare = is_over ? q.limits.min_spare : MIN_OF(input->advice.spare, q.limits.max_workers);
                q.limits.max_spare = q.limits.min_spare;
        }
        q.wanted = (uint64_t)q.limits.min_spare + input->queued;
        q.unit = q.limits.unit;
        q.enough = MAX_OF(q.limits.min_spare, 1U);
        q.deficit = excess(q.wanted, q.spare);
        if (q.limits.scaling == SCALING_STATIC)
                q.deficit = excess(q.limits.max_workers, input->total);
        else if (q.limits.scaling != SCALING_ONDEMAND && !input->started) {
                uint64_t missing = excess(q.limits.start, input->total);
                q.first = missing > 0 && missing >= q.deficit;
                q.deficit = MAX_OF(q.deficit, missing);
        }
        return q;
}

__attribute__((format(printf, 2, 3))) static void explain(struct scale_decision *d, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(d->reason, sizeof(d->reason), format, arguments);
        va_end(arguments);
}

static void explain_start(const struct question *q, struct scale_decision *d)
{
        unsigned queued = q->input->queued, min_spare = q->limits.min_spare;

        if (q->limits.scaling == SCALING_STATIC)
                explain(d, "static %u", q->limits.max_workers);
        else if (q->first)
                explain(d, "start");
        else if (q->spare < min_spare && queued > 0)
                explain(d, "spare %" PRIu64 " < %u, %u queued", q->spare, min_spare, queued);
        else if (q->spare < min_spare)
                explain(d, "spare %" PRIu64 " < %u", q->spare, min_spare);
        else
                explain(d, "%u queued, spare %" PRIu64, queued, q->spare);
}

static void grow(const struct question *q, struct scale_decision *d)
{
        if (!q->input->may_fork)
                return;
        uint64_t needed = q->deficit + excess(q->unit, 1); /* rounded up, in what follows */
        d->start = whole_groups(clamp(needed, (unsigned)excess(q->limits.max_workers, q->input->total)), q->unit);
        if (d->start > 0)
                explain_start(q, d);
}

/* The total exceeds max_workers: the limit was lowered, or workers that did not count before do now. Idle ones go at
 * once, down to min_spare. */
static void shrink_to_limit(const struct question *q, struct scale_decision *d)
{
        uint64_t over = excess(q->input->total, q->limits.max_workers);

        d->retire = whole_groups(
                clamp(over + excess(q->unit, 1), (unsigned)excess(q->input->idle, q->limits.min_spare)), q->unit);
        d->retire_any = d->retire > 0;
        if (d->retire > 0)
                explain(d, "total %u > %u", q->input->total, q->limits.max_workers);
}

static void explain_surplus(const struct question *q, unsigned lowest, struct scale_decision *d)
{
        _cleanup_(text_clear) struct text duration = {0};

        if (q->limits.spare_timeout_ms > 0 && number_format_duration_ms(&duration, q->limits.spare_timeout_ms) == 0)
                explain(d, "idle %u > %u for %s", lowest, q->max_spare, text_string(&duration));
        else
                explain(d, "idle %u > %u", lowest, q->max_spare);
}

static void explain_level(const struct question *q, struct scale_decision *d)
{
        const struct adaptive_advice *advice = &q->input->advice;

        explain(d, "level %u idle for %" PRIu64 ".%" PRIu64 " s > %" PRIu64 ".%" PRIu64 " s", advice->level,
                advice->level_idle_ms / 1000, advice->level_idle_ms / 100 % 10, advice->allowed_ms / 1000,
                advice->allowed_ms / 100 % 10);
}

/* Retire the idle workers that no level keeps. */
static void shrink_levels(const struct question *q, struct scale_decision *d)
{
        const struct adaptive_advice *advice = &q->input->advice;
        unsigned surplus = clamp(excess(q->spare, q->wanted), (unsigned)excess(q->input->idle, q->limits.min_spare));

        surplus = MIN_OF(surplus, advice->surplus);
        surplus = whole_groups(q->unit > 1 ? MIN_OF(surplus, q->input->whole) : surplus, q->unit);
        if (q->deficit > 0 || surplus <= d->retire)
                return;
        d->retire = surplus;
        d->retire_any = false;
        if (advice->by_bound)
                explain_surplus(q, surplus + q->max_spare, d);
        else
                explain_level(q, d);
}

/* Retire the idle workers above max_spare that were not needed at any time since the timer was armed. */
static void shrink_surplus(const struct question *q, const struct scale_state *state, struct scale_decision *d)
{
        const struct scale_input *input = q->input;
        bool at_once = q->limits.spare_timeout_ms == 0;
        bool due = at_once || (state->shrink_at_ms > 0 && input->now_ms >= state->shrink_at_ms);
        unsigned lowest = at_once ? input->idle : MIN_OF(input->idle, input->low_water);

        lowest = (unsigned)excess(lowest, input->held);
        /* Idle workers beside a queue are just being woken: as many as are queued are no surplus. */
        unsigned surplus = clamp(excess(q->spare, q->wanted), (unsigned)excess(lowest, q->limits.max_spare));
        surplus = whole_groups(q->unit > 1 ? MIN_OF(surplus, input->whole) : surplus, q->unit);
        if (!due || q->deficit > 0 || surplus <= d->retire)
                return;
        d->retire = surplus;
        d->retire_any = false;
        explain_surplus(q, lowest, d);
}

/* So many idle workers may stay if `spare` may: what is less than a whole group stays, too. */
static unsigned kept_of(const struct question *q, unsigned spare)
{
        return clamp((uint64_t)spare + q->unit - 1, NEVER_HIGH);
}

/* While it runs, an idle worker wakes the master only beyond max_spare: so it runs out even if none is idle. */
static void set_level_timer(const struct question *q, struct scale_state *state, const struct scale_decision *d)
{
        bool running = state->shrink_at_ms > q->input->now_ms, idle = idle_left(q, d) > kept_of(q, q->limits.max_spare);

        if (idle && q->input->advice.surplus > d->retire)
                state->shrink_at_ms = saturated_add(q->input->now_ms, SURPLUS_PAUSE_MS);
        else if (idle)
                state->shrink_at_ms = q->input->advice.look_at_ms;
        else if (!running)
                state->shrink_at_ms = 0;
}

/* Arm, rearm, keep or disarm the shrink timer; also for those that hold a connection, whose end nobody tells. */
static void set_shrink_timer(const struct question *q, struct scale_state *state, struct scale_decision *d)
{
        bool running = state->shrink_at_ms > q->input->now_ms;
        uint64_t pause_ms = q->limits.spare_timeout_ms > 0 ? q->limits.spare_timeout_ms : SURPLUS_PAUSE_MS;
        uint64_t from_now_ms = saturated_add(q->input->now_ms, pause_ms);

        if (q->adaptive)
                set_level_timer(q, state, d);
        else if (idle_left(q, d) <= kept_of(q, q->limits.max_spare))
                state->shrink_at_ms = 0;
        else if (!running || q->deficit > 0) {
                /* Demand restarts the timer: no shrinking within spare_timeout of growth. */
                state->shrink_at_ms = from_now_ms;
                d->reset_low_water = true;
        } else
                state->shrink_at_ms = MIN_OF(state->shrink_at_ms, from_now_ms); /* spare_timeout was lowered */
        d->shrink_at_ms = state->shrink_at_ms;
}

/* A saturated pool has no surplus: is_relieved() decides first whether it has idle workers at all. */
static void shrink(const struct question *q, struct scale_state *state, struct scale_decision *d)
{
        if (q->limits.scaling == SCALING_STATIC || state->saturated) {
                state->shrink_at_ms = 0; /* a reload may have made the pool static while the timer ran */
                return;
        }
        if (q->adaptive)
                shrink_levels(q, d);
        else
                shrink_surplus(q, state, d);
        set_shrink_timer(q, state, d);
}

/* True if there were enough idle workers throughout RELIEF_MS, judged by the low-water mark as for a surplus. */
static bool is_relieved(const struct question *q, struct scale_state *state, struct scale_decision *d)
{
        uint64_t now_ms = q->input->now_ms;

        if (idle_left(q, d) < q->enough) {
                state->relief_at_ms = 0;
                return false;
        }
        if (state->relief_at_ms > now_ms)
                return false;
        if (state->relief_at_ms > 0 && q->input->low_water >= q->enough)
                return true;
        state->relief_at_ms = saturated_add(now_ms, RELIEF_MS);
        d->reset_low_water = true;
        return false;
}

/* Begin or end an episode of saturation. It is judged by the pool as it will be once the decision is carried out, so
 * that replacing a worker that ended does not end one episode and begin another. */
static void follow_saturation(const struct question *q, struct scale_state *state, struct scale_decision *d)
{
        bool full = total_then(q, d) + q->unit > q->limits.max_workers;
        bool unmet = q->spare + d->start - d->retire < q->wanted;

        if (!state->saturated) {
                d->saturation_begins = q->input->may_fork && full && idle_left(q, d) < q->enough && unmet;
                state->saturated = d->saturation_begins;
                state->relief_at_ms = 0;
        } else if (!full || is_relieved(q, state, d)) {
                d->saturation_ends = true;
                state->saturated = false;
                state->relief_at_ms = 0;
        }
        if (state->saturated)
                d->shrink_at_ms = state->relief_at_ms > 0 ? state->relief_at_ms
                                                          : saturated_add(q->input->now_ms, SATURATED_PAUSE_MS);
}

/* The idle count above which workers wake the master. Under saturation every worker is idle for a moment between two
 * requests, so a low threshold would wake the master at the busiest time. It is woken when half of the pool is idle, or
 * a surplus of at least a quarter; anything less is found when the timer asks again. */
static unsigned high_above(const struct question *q, const struct scale_state *state, const struct scale_decision *d)
{
        unsigned max_workers = q->limits.max_workers, bound = kept_of(q, q->max_spare);
        unsigned surplus = q->limits.scaling == SCALING_STATIC ? NEVER_HIGH : kept_of(q, q->limits.max_spare);

        if (d->retire_any && q->unit > 1)
                return NEVER_HIGH;
        if (total_then(q, d) > max_workers) /* any further idle group is to be retired */
                return kept_of(q, q->limits.min_spare);
        if (state->shrink_at_ms > saturated_add(q->input->now_ms, q->limits.spare_timeout_ms) &&
            idle_left(q, d) <= bound && bound < max_workers)
                return bound; /* the timer is for a level, and too late for more than max_spare */
        if (state->shrink_at_ms > 0 || state->relief_at_ms > 0)
                return NEVER_HIGH;
        if (state->saturated)
                return MIN_OF(MAX_OF(surplus, max_workers / 4), MAX_OF(q->enough, max_workers / 2));
        return surplus;
}

static void ask_again_at(struct scale_decision *d, uint64_t at_ms)
{
        d->shrink_at_ms = d->shrink_at_ms > 0 ? MIN_OF(d->shrink_at_ms, at_ms) : at_ms;
}

/* While workers start and none is idle, connections that come wake nobody. And a pool that stands still keeps no spare
 * workers that were worth it once. */
static void look_again(const struct question *q, uint64_t starting, struct scale_decision *d)
{
        const struct adaptive_advice *advice = &q->input->advice;

        if (!q->adaptive || !q->input->may_fork)
                return;
        if (advice->look_ms > 0 && starting > 0 && idle_left(q, d) == 0)
                ask_again_at(d, saturated_add(q->input->now_ms, advice->look_ms));
        if (advice->spare_until_ms > 0)
                ask_again_at(d, advice->spare_until_ms);
}

/* Set the thresholds that wake the master. Starting workers count as spare: until they report ready, which wakes the
 * master anyway, fewer idle ones are enough. */
static void publish(const struct question *q, const struct scale_state *state, struct scale_decision *d)
{
        uint64_t starting = (uint64_t)q->input->starting + d->start;
        bool listening = q->input->may_fork && !state->saturated;

        d->watch_listeners = listening && idle_left(q, d) == 0 && starting == 0;
        /* While the listeners are watched, the master need not be woken by a worker that becomes busy. */
        if (listening && !d->watch_listeners)
                d->low_below = (unsigned)excess(q->enough, starting);
        d->high_above = high_above(q, state, d);
        if (!state->saturated)
                look_again(q, starting, d);
}

unsigned scale_policy_wants(const struct scale_limits *limits, const struct scale_input *input)
{
        struct question q = ask(limits, input);
        struct scale_decision decision = {0};

        if (q.limits.scaling != SCALING_STATIC)
                q.deficit = excess(input->queued, q.spare);
        if (q.deficit > 0)
                grow(&q, &decision);
        return decision.start;
}

struct scale_decision scale_policy_decide(const struct scale_limits *limits, const struct scale_input *input,
                                          struct scale_state *state)
{
        const struct question q = ask(limits, input);
        struct scale_decision decision = {0};

        grow(&q, &decision);
        shrink_to_limit(&q, &decision);
        follow_saturation(&q, state, &decision);
        shrink(&q, state, &decision);
        publish(&q, state, &decision);
        return decision;
}
