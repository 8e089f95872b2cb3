#include "logic/policy/rate_limit.h"

#include "base/cleanup.h"
#include "logic/config/config.h"

uint64_t rate_limit_left(struct rate_limit *limit, uint64_t now_ms, uint64_t burst)
{
        uint64_t passed_ms = now_ms > limit->at_ms ? now_ms - limit->at_ms : 0;

        rate_limit_give(limit, passed_ms);
        limit->at_ms = now_ms;
        return burst > limit->spent ? burst - limit->spent : 0;
}

bool rate_limit_take(struct rate_limit *limit, uint64_t now_ms, uint64_t burst, uint64_t cost)
{
        if (rate_limit_left(limit, now_ms, burst) < cost)
                return false;
        limit->spent += cost;
        return true;
}

bool rate_limit_admits(struct rate_limit *limit, uint64_t now_us, const struct rate *rate, uint64_t weight)
{
        uint64_t cost = MAX_OF(rate->period_ms * 1000 / MAX_OF(rate->count, UINT64_C(1)), UINT64_C(1));

        return rate_limit_take(limit, now_us, rate->burst * cost, MIN_OF(weight, rate->burst) * cost);
}

void rate_limit_give(struct rate_limit *limit, uint64_t units)
{
        limit->spent -= MIN_OF(units, limit->spent);
}
