#include "logic/policy/backoff.h"

#include "base/cleanup.h"
#include "base/saturating.h"

#define EXCUSE_COST 100 /* ten a second */
#define EXCUSES_AT_ONCE 100

static bool is_fault_of_the_pool(const struct backoff_death *death)
{
        if (death->by_others_hand)
                return false;
        return !death->was_ready || (!death->had_served && !death->pool_succeeded_since);
}

bool backoff_is_failure(struct backoff *backoff, const struct backoff_death *death, uint64_t now_ms)
{
        if (death->by_our_hand)
                return false;
        return is_fault_of_the_pool(death) ||
               !rate_limit_take(&backoff->excused, now_ms, (uint64_t)EXCUSES_AT_ONCE * EXCUSE_COST, EXCUSE_COST);
}

/* min_ms doubled `doublings` times, at most max_ms, without overflow on the way. */
static uint64_t delay_after(unsigned doublings, uint64_t min_ms, uint64_t max_ms)
{
        uint64_t delay_ms = MIN_OF(min_ms, max_ms);

        while (doublings-- > 0 && delay_ms > 0 && delay_ms < max_ms)
                delay_ms = delay_ms > max_ms / 2 ? max_ms : delay_ms * 2;
        return delay_ms;
}

uint64_t backoff_failure(struct backoff *backoff, uint64_t now_ms, uint64_t min_ms, uint64_t max_ms)
{
        if (backoff_active(backoff, now_ms))
                return backoff->not_before_ms - now_ms;

        uint64_t delay_ms = delay_after(backoff->failures, min_ms, max_ms);
        backoff->not_before_ms = delay_ms > 0 ? saturated_add(now_ms, delay_ms) : 0;
        backoff->shortest_ms = delay_ms > 0 ? saturated_add(now_ms, MIN_OF(min_ms, max_ms)) : 0;
        backoff->succeeded = false;
        if (backoff->failures < UINT32_MAX)
                backoff->failures++;
        return delay_ms;
}

void backoff_success(struct backoff *backoff, uint64_t requests)
{
        rate_limit_give(&backoff->excused, MIN_OF(requests, (uint64_t)EXCUSES_AT_ONCE) * EXCUSE_COST);
        backoff->failures = 0;
        backoff->not_before_ms = MIN_OF(backoff->not_before_ms, backoff->shortest_ms);
        backoff->succeeded = true;
}

bool backoff_active(const struct backoff *backoff, uint64_t now_ms)
{
        return now_ms < backoff->not_before_ms;
}
