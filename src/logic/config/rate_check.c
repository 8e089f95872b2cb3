/* The rules about rate_limit and rate_limit_per_source. */
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/rate_table.h"
#include "logic/config/rules.h"

/* The buckets hold moments no further away than that. */
static void check_burst(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                        const struct rate *rate)
{
        uint64_t most = RATE_REFILL_MAX_MS * rate->count / MAX_OF(rate->period_ms, UINT64_C(1));

        if (rate->count > 0 && rate->burst > most)
                rules_refuse(rules, pool, option,
                             "a burst of %" PRIu64 " would take more than 30 days to be allowed again; expected at "
                             "most %" PRIu64,
                             rate->burst, most);
}

static void check_handler(const struct rules *rules, const struct pool_config *pool, enum pool_option option,
                          const struct rate *rate)
{
        if (rate->count > 0 && !pool_config_is_guarded(pool))
                rules_refuse(rules, pool, option,
                             "a handler that accepts itself takes its connections when it likes; expected accounting "
                             "= preload, another handler_type, or a limit in the handler or a firewall");
}

void config_check_rates(const struct rules *rules, const struct pool_config *pool)
{
        check_handler(rules, pool, POOL_RATE_LIMIT, &pool->rate_limit);
        check_handler(rules, pool, POOL_RATE_LIMIT_PER_SOURCE, &pool->rate_limit_per_source);
        check_burst(rules, pool, POOL_RATE_LIMIT, &pool->rate_limit);
        check_burst(rules, pool, POOL_RATE_LIMIT_PER_SOURCE, &pool->rate_limit_per_source);
}
