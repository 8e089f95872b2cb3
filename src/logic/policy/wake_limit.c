#include "logic/policy/wake_limit.h"

/* Pauses with less between them belong together: in a storm, what was saved in one is used up soon after it. */
#define TOGETHER_MS 200

static bool is_worth_telling(struct wake_limit *limit, uint64_t now_ms)
{
        if (limit->last_ms == 0 || now_ms - limit->last_ms > TOGETHER_MS)
                limit->since_ms = now_ms;
        if (limit->last_ms == 0 || now_ms - limit->last_ms > WAKE_LIMIT_OVER_MS)
                limit->told = false;
        limit->last_ms = now_ms;
        if (limit->told || now_ms - limit->since_ms < WAKE_LIMIT_TELL_MS)
                return false;
        limit->told = true;
        return true;
}

struct wake_verdict wake_limit_note(struct wake_limit *limit, uint64_t now_ms)
{
        struct wake_verdict verdict = {0};

        rate_limit_take(&limit->rate, now_ms, WAKE_LIMIT_BURST, 1);
        if (rate_limit_left(&limit->rate, now_ms, WAKE_LIMIT_BURST) > 0)
                return verdict;
        verdict.pause = true;
        verdict.tell = is_worth_telling(limit, now_ms);
        return verdict;
}
