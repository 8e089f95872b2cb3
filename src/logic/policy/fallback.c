#include "logic/policy/fallback.h"

#include "base/cleanup.h"
#include "logic/config/choice.h"

/* A new worker takes about as long as twenty forks more than as many rollbacks. A few are no reason. */
#define ENDS_MANY 10
#define ENDS_WITHIN_REQUESTS (20ULL * ENDS_MANY)

bool fallback_is_any(const struct fallback *fallback)
{
        return fallback->start_cause != 0 || fallback->copy_cause != 0;
}

void fallback_apply(const struct fallback *fallback, struct pool_config *config)
{
        int least = (int)MIN_OF(fallback->start_method, (unsigned)START_SNAPSHOT);

        if (fallback->start_cause != 0)
                config->choice.start_method = MIN_OF(config->choice.start_method, least);
        if (fallback->copy_cause != 0)
                config->choice.copy = COPY_FORK;
}

bool fallback_start_method(struct fallback *fallback, const struct pool_config *config, unsigned cause)
{
        enum start_method method = pool_config_start_method(config);
        /* An explicit rollback needs a handler that is loaded once. */
        bool is_bound = config->copy == COPY_ROLLBACK && pool_config_is_copied(config);
        enum start_method lesser = choice_lesser(config, method);

        if (config->start_method != START_AUTO || lesser == method || (is_bound && lesser == START_EXEC))
                return false;
        fallback->start_method = lesser;
        fallback->start_cause = cause;
        return true;
}

bool fallback_copy(struct fallback *fallback, const struct pool_config *config, unsigned cause)
{
        if (config->copy != COPY_AUTO || pool_config_copy(config) != COPY_ROLLBACK)
                return false;
        fallback->copy_cause = cause;
        return true;
}

bool fallback_is_often(struct fallback_ends *ends, uint64_t requests)
{
        if (ends->count == 0 || requests - ends->requests > ENDS_WITHIN_REQUESTS)
                *ends = (struct fallback_ends){.requests = requests};
        return ++ends->count >= ENDS_MANY;
}
