#include "logic/policy/listening.h"

#include "base/cleanup.h"
#include "base/saturating.h"
#include "logic/policy/turn.h"

/* Even if restart_delay_min is 0. */
#define PAUSE_MIN_MS 100

enum listening_remedy listening_remedy_of(const struct listening_facts *facts)
{
        if (facts->listens && !facts->damaged)
                return REMEDY_NONE;
        if (facts->is_passed)
                return REMEDY_MEND;
        if (!facts->listens)
                return REMEDY_REOPEN;
        return facts->is_abstract ? REMEDY_MEND : REMEDY_REPLACE;
}

bool listening_may_wait(bool partial_start, bool reachable, size_t left)
{
        return partial_start && (left > 0 || !reachable);
}

void listening_hurry(struct listening_state *state)
{
        state->attempts = (struct backoff){0};
}

/* After a quiet time the pauses begin anew. */
static void note_attempt(struct backoff *attempts, uint64_t now_ms, const struct pool_config *config)
{
        uint64_t min_ms = MAX_OF(config->restart_delay_min_ms, (uint64_t)PAUSE_MIN_MS);
        uint64_t max_ms = MAX_OF(config->restart_delay_max_ms, min_ms);

        if (now_ms >= saturated_add(attempts->not_before_ms, max_ms))
                attempts->failures = 0;
        backoff_failure(attempts, now_ms, min_ms, max_ms);
}

static bool has_older_workers(const struct turn *turn)
{
        for (uint32_t i = 0; i < turn->rows.count; i++)
                if (worker_row_is_old(&turn->rows, &turn->rows.items[i]))
                        return true;
        return false;
}

void listening_decide(struct turn *turn)
{
        struct listening_state *state = turn->listening;

        if (turn->closing_down)
                return;
        if (state->look_again && !has_older_workers(turn)) {
                state->look_again = false;
                turn_examine_listeners(turn);
        }
        if (turn->faulty + turn->missing > 0 && turn_is_due(turn, state->attempts.not_before_ms)) {
                note_attempt(&state->attempts, turn->now_ms, turn->config);
                turn_open_listeners(turn);
        }
}
