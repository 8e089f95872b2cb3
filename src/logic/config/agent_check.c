/* The pools that agents tell of. Part of config_finish(). */
#include "base/text.h"
#include "logic/config/rules.h"

static bool has_pool(const struct config *config, const char *name)
{
        for (size_t i = 0; i < config->pool_count; i++)
                if (text_equal(config->pools[i]->name, name))
                        return true;
        return false;
}

/* That a name is needed even if there is only one other pool is on purpose: a pool that is added later must not make
 * a configuration wrong that was right. */
void config_check_agents(const struct rules *rules, const struct config *config)
{
        for (size_t i = 0; i < config->pool_count; i++) {
                const struct pool_config *pool = config->pools[i];
                const char *name = pool_config_agent_pool(pool);
                if (name && text_equal(name, pool->name))
                        rules_refuse(rules, pool, POOL_HANDLER,
                                     "an agent tells of another pool than its own; expected that pool's name");
                else if (name && !has_pool(config, name))
                        rules_refuse(rules, pool, POOL_HANDLER,
                                     "there is no pool \"%s\"; expected the name of the pool that the agent tells of",
                                     name);
        }
}
