/* The numbers that depend on each other: fitted where they were left unset, refused where they disagree. Part of
 * config_finish(). */
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/rules.h"
#include "logic/config/schema.h"

#define ROLLBACK_MAX_REQUESTS 1000

/* Four numbers of workers, each no more than the next. */
static const enum pool_option chain[] = {POOL_MIN_SPARE_WORKERS, POOL_START_WORKERS, POOL_MAX_SPARE_WORKERS,
                                         POOL_MAX_WORKERS};

static uint64_t *worker_count(struct pool_config *pool, enum pool_option option)
{
        switch (option) {
        case POOL_MIN_SPARE_WORKERS:
                return &pool->min_spare_workers;
        case POOL_START_WORKERS:
                return &pool->start_workers;
        case POOL_MAX_SPARE_WORKERS:
                return &pool->max_spare_workers;
        default:
                return &pool->max_workers;
        }
}

/* Report every set number that is more than the next set one. True if there is none. */
static bool check_chain(const struct rules *rules, struct pool_config *pool)
{
        int previous = -1;
        bool agrees = true;

        for (size_t i = 0; i < ELEMENTS(chain); i++) {
                char lesser[24], greater[24];
                if (!rules_is_set(pool, chain[i]))
                        continue;
                if (previous >= 0 && *worker_count(pool, chain[previous]) > *worker_count(pool, chain[i])) {
                        snprintf(lesser, sizeof(lesser), "%" PRIu64, *worker_count(pool, chain[previous]));
                        snprintf(greater, sizeof(greater), "%" PRIu64, *worker_count(pool, chain[i]));
                        rules_refuse_order(rules, pool, chain[previous], chain[i], lesser, greater);
                        agrees = false;
                }
                previous = (int)i;
        }
        return agrees;
}

/* The value nearest to the present one that agrees with the numbers that are set. */
static void clamp(struct pool_config *pool, size_t link)
{
        uint64_t *value = worker_count(pool, chain[link]);

        if (rules_is_set(pool, chain[link]))
                return;
        for (size_t i = 0; i < link; i++)
                if (rules_is_set(pool, chain[i]))
                        *value = MAX_OF(*value, *worker_count(pool, chain[i]));
        for (size_t i = link + 1; i < ELEMENTS(chain); i++)
                if (rules_is_set(pool, chain[i]))
                        *value = MIN_OF(*value, *worker_count(pool, chain[i]));
}

static void fit_chain(const struct rules *rules, struct pool_config *pool)
{
        if (!check_chain(rules, pool))
                return;
        for (size_t i = 0; i < ELEMENTS(chain); i++)
                if (chain[i] != POOL_START_WORKERS)
                        clamp(pool, i);
        if (rules_is_set(pool, POOL_START_WORKERS))
                return;
        if (pool->scaling == SCALING_ADAPTIVE)
                pool->start_workers = pool->min_spare_workers;
        else if (pool->scaling == SCALING_DYNAMIC)
                pool->start_workers = pool->min_spare_workers + (pool->max_spare_workers - pool->min_spare_workers) / 2;
}

/* ondemand: no worker before a connection waits, so nothing is kept ready unless max_spare_workers says so. */
static void fit_ondemand(const struct rules *rules, struct pool_config *pool)
{
        static const enum pool_option zero[] = {POOL_MIN_SPARE_WORKERS, POOL_START_WORKERS};
        bool agrees = true;

        for (size_t i = 0; i < ELEMENTS(zero); i++) {
                if (rules_is_set(pool, zero[i]) && *worker_count(pool, zero[i]) > 0) {
                        rules_refuse(rules, pool, zero[i],
                                     "scaling is ondemand, which starts no worker before a "
                                     "connection waits; expected 0, or another scaling");
                        agrees = false;
                }
                *worker_count(pool, zero[i]) = 0;
        }
        if (!rules_is_set(pool, POOL_MAX_SPARE_WORKERS))
                pool->max_spare_workers = 0;
        if (agrees)
                fit_chain(rules, pool);
}

/* adaptive: the thresholds are bounds, and nothing is bounded unless a user says so. */
static void fit_adaptive(const struct rules *rules, struct pool_config *pool)
{
        if (!rules_is_set(pool, POOL_MIN_SPARE_WORKERS))
                pool->min_spare_workers = 0;
        if (!rules_is_set(pool, POOL_MAX_SPARE_WORKERS))
                pool->max_spare_workers = pool->max_workers;
        if (pool_config_is_unwatched(pool))
                rules_refuse(rules, pool, POOL_SCALING,
                             "adaptive goes by what workers report, and with accounting = none they report nothing; "
                             "expected another scaling");
        fit_chain(rules, pool);
}

/* static: the thresholds have no meaning. They are all set to max_workers, so that code that looks only at thresholds
 * keeps that many. A user who sets one gets an error; php-fpm ignores it silently, which misleads. */
static void fit_static(const struct rules *rules, struct pool_config *pool)
{
        for (size_t i = 0; chain[i] != POOL_MAX_WORKERS; i++) {
                if (rules_is_set(pool, chain[i]))
                        rules_refuse(rules, pool, chain[i],
                                     "scaling is static, which always runs max_workers; remove this key");
                *worker_count(pool, chain[i]) = pool->max_workers;
        }
}

static void fit_delays(const struct rules *rules, struct pool_config *pool)
{
        bool min_set = rules_is_set(pool, POOL_RESTART_DELAY_MIN), max_set = rules_is_set(pool, POOL_RESTART_DELAY_MAX);
        _cleanup_(text_clear) struct text min = {0}, max = {0};

        if (pool->restart_delay_min_ms <= pool->restart_delay_max_ms)
                return;
        if (min_set && !max_set)
                pool->restart_delay_max_ms = pool->restart_delay_min_ms;
        else if (max_set && !min_set)
                pool->restart_delay_min_ms = pool->restart_delay_max_ms;
        else {
                /* Out of memory, the texts are incomplete; the problem is reported all the same. */
                (void)number_format_duration_ms(&min, pool->restart_delay_min_ms);
                (void)number_format_duration_ms(&max, pool->restart_delay_max_ms);
                rules_refuse_order(rules, pool, POOL_RESTART_DELAY_MIN, POOL_RESTART_DELAY_MAX, text_string(&min),
                                   text_string(&max));
        }
}

/* A handler that shares its worker's memory may stay there as long as the worker lives. */
void config_fit_requests(struct pool_config *pool)
{
        if (!rules_is_set(pool, POOL_MAX_REQUESTS) && pool_config_is_copied(pool) &&
            pool_config_copy(pool) == COPY_ROLLBACK)
                pool->max_requests = ROLLBACK_MAX_REQUESTS;
}

/* Of two values that disagree, one of them of [defaults]: that one counts as not set, and moves. */
static void give_way(struct pool_config *pool, enum pool_option a, enum pool_option b)
{
        bool a_is_default = pool->origins[a].of_defaults, b_is_default = pool->origins[b].of_defaults;

        if (rules_is_set(pool, a) && rules_is_set(pool, b) && a_is_default != b_is_default)
                pool->origins[a_is_default ? a : b] = (struct origin){0};
}

/* What a pool says itself is not wrong because of what is said for all pools. */
static void fit_defaults(struct pool_config *pool)
{
        if (pool->scaling == SCALING_ONDEMAND && !pool->origins[POOL_SCALING].of_defaults) {
                give_way(pool, POOL_SCALING, POOL_MIN_SPARE_WORKERS);
                give_way(pool, POOL_SCALING, POOL_START_WORKERS);
        }
        for (size_t i = 0; i < ELEMENTS(chain); i++)
                for (size_t j = i + 1; j < ELEMENTS(chain); j++)
                        if (*worker_count(pool, chain[i]) > *worker_count(pool, chain[j]))
                                give_way(pool, chain[i], chain[j]);
        if (pool->restart_delay_min_ms > pool->restart_delay_max_ms)
                give_way(pool, POOL_RESTART_DELAY_MIN, POOL_RESTART_DELAY_MAX);
}

void config_fit(const struct rules *rules, struct pool_config *pool)
{
        fit_defaults(pool);
        config_fit_requests(pool);
        fit_delays(rules, pool);
        if (pool->origins[POOL_SCALING].refused)
                return; /* it is unknown which rules apply */
        if (pool->scaling == SCALING_STATIC)
                fit_static(rules, pool);
        else if (pool->scaling == SCALING_ONDEMAND)
                fit_ondemand(rules, pool);
        else if (pool->scaling == SCALING_ADAPTIVE)
                fit_adaptive(rules, pool);
        else
                fit_chain(rules, pool);
}
