/* max_workers_total against what pools have in any case. Part of config_finish(). */
#include <inttypes.h>

#include "base/cleanup.h"
#include "logic/config/rules.h"

/* Static pools have their workers always, and each other pool must be able to have one. What dynamic pools keep ready
 * is kept where there is room. */
void config_check_total(const struct rules *rules, const struct config *config)
{
        const struct master_config *master = &config->master;
        const struct origin *place = &master->origins[MASTER_MAX_WORKERS_TOTAL];
        uint64_t always = 0, ready = 0, one = 0;

        if (master->max_workers_total == 0)
                return;
        for (size_t p = 0; p < config->pool_count; p++) {
                const struct pool_config *pool = config->pools[p];
                bool is_static = pool->scaling == SCALING_STATIC;
                always += is_static ? pool->max_workers : 0;
                ready += pool->scaling == SCALING_DYNAMIC ? pool->min_spare_workers : 0;
                one = is_static ? one : MAX_OF(one, (uint64_t)pool_config_threads(pool));
        }
        if (always + one > master->max_workers_total)
                problem_add(rules->problems, place->file, place->line,
                            "max_workers_total: %" PRIu64 " is not enough: static pools always have %" PRIu64
                            " workers, and a worker of another pool counts %" PRIu64 "; expected at least %" PRIu64,
                            master->max_workers_total, always, one, always + one);
        else if (always + ready > master->max_workers_total)
                problem_warn(rules->problems, place->file, place->line,
                             "max_workers_total: %" PRIu64 " leaves no room for all that static pools have (%" PRIu64
                             ") and that min_spare_workers keeps ready (%" PRIu64 "): some pools will have fewer",
                             master->max_workers_total, always, ready);
}
