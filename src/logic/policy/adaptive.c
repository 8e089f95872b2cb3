#include "logic/policy/adaptive.h"

#include "base/cleanup.h"
#include "base/saturating.h"

/* What happened is remembered for about so many times the worth of a start: then it counts half. */
#define MEMORY 32
#define ONE 256 /* of what is counted, so that halving loses little */
/* What a spare worker has earned counts for at most so many times what it costs: if it is needed no more, it goes. */
#define RICHES 4

/* The highest level that was busy within a time, and when. */
struct top {
        unsigned level;
        uint64_t busy_ms;
};

static uint64_t since(uint64_t now_ms, uint64_t then_ms)
{
        return now_ms > then_ms ? now_ms - then_ms : 0;
}

/* How many connections are served or wait. */
static unsigned concurrency(const struct adaptive_input *input)
{
        uint64_t ready = (uint64_t)input->idle + input->starting;
        uint64_t busy = input->total > ready ? input->total - ready : 0;

        return (unsigned)MIN_OF(busy + input->queued, (uint64_t)UINT32_MAX);
}

/* As long as nothing is known of the levels, all are taken for busy. */
static struct top find_top(const struct adaptive_input *input, bool known, uint64_t within_ms)
{
        unsigned now_busy = concurrency(input);

        if (!known && within_ms > 0)
                return (struct top){.level = MAX_OF(now_busy, input->total), .busy_ms = input->now_ms};
        for (size_t level = input->levels; level > now_busy; level--) {
                uint64_t busy_ms = input->left_ms[level - 1];
                if (busy_ms > 0 && since(input->now_ms, busy_ms) < within_ms)
                        return (struct top){.level = (unsigned)level, .busy_ms = busy_ms};
        }
        return (struct top){.level = now_busy, .busy_ms = input->now_ms};
}

/* When level `level` was busy last: whenever a higher one was, too. */
static uint64_t busy_last_ms(const struct adaptive_input *input, unsigned level)
{
        uint64_t latest_ms = 0;

        for (size_t above = input->levels; above >= level && above > 0; above--)
                latest_ms = MAX_OF(latest_ms, input->left_ms[above - 1]);
        return latest_ms;
}

/* --- spare workers ------------------------------------------------------------------------------------------------ */

/* Halve all that is remembered when it has become old. */
static void forget(struct adaptive_state *state, const struct adaptive_input *input)
{
        uint64_t most_ms = MEMORY * input->worth.start_ms;

        if (state->since_ms == 0)
                state->since_ms = input->now_ms;
        while (state->observed_ms + since(input->now_ms, state->since_ms) >= most_ms && most_ms > 1) {
                uint64_t left_ms = most_ms - MIN_OF(state->observed_ms, most_ms);
                state->since_ms = saturated_add(state->since_ms, left_ms);
                state->observed_ms = most_ms / 2;
                state->used_up /= 2;
                for (size_t i = 0; i < ADAPTIVE_SPARES; i++)
                        state->uses[i] /= 2;
                if (since(input->now_ms, state->since_ms) > 64 * most_ms) /* nothing would be left */
                        *state = (struct adaptive_state){
                                .since_ms = input->now_ms, .observed_ms = most_ms / 2, .spare = state->spare};
        }
}

/* Demand needs starts: each would have been saved its wait by one more spare worker than starts are under way. */
static void count_uses(struct adaptive_state *state, const struct adaptive_input *input)
{
        uint64_t wanted = (uint64_t)state->spare + input->queued, there = (uint64_t)input->idle + input->starting;
        bool used_up = input->idle == 0 && input->starting == 0 && input->queued == 0 && input->total > 0;

        if (!input->may_fork || input->total >= input->max_workers)
                return;
        for (uint64_t start = input->starting; start < input->starting + (wanted > there ? wanted - there : 0); start++)
                if (start < ADAPTIVE_SPARES)
                        state->uses[start] += ONE;
        if (used_up && !state->was_used_up)
                state->used_up += ONE;
        state->was_used_up = used_up;
}

static uint64_t observed_ms(const struct adaptive_state *state, const struct adaptive_input *input)
{
        return state->observed_ms + since(input->now_ms, state->since_ms);
}

/* What the k-th spare worker has earned in this time: milliseconds of an idle worker; in 1/256. */
static uint64_t earnings(const struct adaptive_state *state, const struct adaptive_input *input, unsigned k)
{
        uint64_t of_waits = state->uses[k - 1] * input->worth.wait_ms;

        return k == 1 ? of_waits + state->used_up * input->worth.wakeup_ms : of_waits;
}

/* The spare workers that earn more than they cost. */
static unsigned earned(struct adaptive_state *state, const struct adaptive_input *input)
{
        uint64_t cost = MAX_OF(observed_ms(state, input), input->worth.start_ms) * ONE, most = RICHES * cost;
        unsigned spare = 0;

        for (size_t i = 0; i < ADAPTIVE_SPARES; i++)
                if (input->worth.wait_ms > 0)
                        state->uses[i] = MIN_OF(state->uses[i], most / input->worth.wait_ms);
        if (input->worth.wakeup_ms > 0)
                state->used_up = MIN_OF(state->used_up, most / input->worth.wakeup_ms);
        while (spare < ADAPTIVE_SPARES && earnings(state, input, spare + 1) > cost)
                spare++;
        return spare;
}

/* When one of `spare` workers will have earned no more than it costs, or it is to be forgotten what it has earned. */
static uint64_t earned_until_ms(const struct adaptive_state *state, const struct adaptive_input *input, unsigned spare)
{
        uint64_t now = observed_ms(state, input);
        uint64_t then = MIN_OF(earnings(state, input, spare) / ONE + 1, MEMORY * input->worth.start_ms);

        return saturated_add(input->now_ms, then > now ? then - now : 1);
}

/* --- levels ------------------------------------------------------------------------------------------------------- */

/* To wake up for a level costs as much as its worker does in this time, so that long the look may wait: it is for the
 * levels that are idle for long enough by then, too. Of those that follow each other closely, most go at one look. */
static uint64_t patience_ms(const struct adaptive_input *input)
{
        return input->worth.wakeup_ms / 2; /* which are two wake-ups */
}

/* When the next level may go. One that is busy now has no such time: when it no longer is, that is known. */
static uint64_t next_look_ms(const struct adaptive_input *input, const struct adaptive_advice *advice,
                             const struct top *top, const struct top *bound)
{
        unsigned now_busy = concurrency(input);
        uint64_t at_ms = saturated_add(input->now_ms, input->worth.start_ms);

        if (top->level > now_busy)
                at_ms = saturated_add(top->busy_ms, saturated_add(input->worth.start_ms, patience_ms(input)));
        if (input->idle - advice->surplus > input->max_spare)
                at_ms = MIN_OF(at_ms, saturated_add(bound->busy_ms, input->max_spare_ms));
        return MAX_OF(at_ms, saturated_add(input->now_ms, 1));
}

/* Which workers are kept by no level, and why. */
static void find_surplus(const struct adaptive_input *input, bool known, struct adaptive_advice *advice)
{
        const struct top top = find_top(input, known, input->worth.start_ms),
                         bound = find_top(input, known, input->max_spare_ms);
        uint64_t kept = (uint64_t)top.level + advice->spare, bounded = (uint64_t)bound.level + input->max_spare;
        const struct top *which = bounded < kept ? &bound : &top;
        unsigned ready = input->idle - MIN_OF(input->idle, input->queued);

        advice->by_bound = bounded < kept;
        kept = MIN_OF(kept, bounded);
        advice->allowed_ms = advice->by_bound ? input->max_spare_ms : input->worth.start_ms;
        advice->surplus = (unsigned)MIN_OF(input->total > kept ? input->total - kept : 0,
                                           (uint64_t)ready - MIN_OF(ready, advice->spare));
        advice->look_at_ms = next_look_ms(input, advice, &top, &bound);
        advice->level = which->level + 1;
        if (advice->surplus > 0)
                advice->level_idle_ms = since(input->now_ms, busy_last_ms(input, advice->level));
}

struct adaptive_advice adaptive_advise(const struct adaptive_input *input, struct adaptive_state *state)
{
        struct adaptive_advice advice = {.look_ms = input->worth.look_ms};
        bool first = state->since_ms == 0;

        forget(state, input);
        count_uses(state, input);
        advice.spare = MAX_OF(MIN_OF(earned(state, input), input->max_spare), input->min_spare);
        if (advice.spare > input->min_spare)
                advice.spare_until_ms = earned_until_ms(state, input, advice.spare);
        state->spare = advice.spare;
        if (input->queued > 0)
                advice.reached = MIN_OF(concurrency(input), input->max_workers);
        find_surplus(input, !first, &advice);
        if (first)
                advice.reached = MIN_OF(MAX_OF(concurrency(input), input->total), input->max_workers);
        state->level = advice.level - 1;
        state->off_delay_ms = advice.allowed_ms;
        state->was_used_up |= advice.surplus > 0 && advice.surplus == input->idle; /* by us, not by demand */
        return advice;
}
