#include "logic/policy/rate_limit.h"

#include "base/cleanup.h"

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

void rate_limit_give(struct rate_limit *limit, uint64_t units)
{
        limit->spent -= MIN_OF(units, limit->spent);
}
