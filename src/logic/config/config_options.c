#include "logic/config/config_options.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"

static int set_default(const struct option *option, void *base, const struct origin *origin)
{
        _cleanup_(text_clear) struct text error = {0};

        if (option->not_built || !option->default_text || (origin->line > 0 && !origin->refused))
                return 0;
        /* The table's defaults are good (its unit test): nothing but memory can fail. */
        return option_value_parse(option, base, option->default_text, &error);
}

int config_set_defaults(struct config *config)
{
        int r = 0;

        for (int i = 0; i < MASTER_OPTION_COUNT && r == 0; i++)
                r = set_default(&master_options[i], &config->master, &config->master.origins[i]);
        for (size_t p = 0; p < config->pool_count; p++)
                for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++)
                        r = set_default(&pool_options[i], config->pools[p], &config->pools[p]->origins[i]);
        return r;
}

int config_set_pool_default(struct pool_config *pool, enum pool_option option)
{
        return set_default(&pool_options[option], pool, &pool->origins[option]);
}

void pool_config_free(struct pool_config *pool)
{
        if (!pool)
                return;
        for (int i = 0; i < POOL_OPTION_COUNT; i++)
                option_value_clear(&pool_options[i], pool);
        handler_files_clear(&pool->handler_files);
        words_clear(&pool->file_variables);
        free(pool->choice.start_method_why);
        free(pool->choice.copy_why);
        free(pool->name);
        free(pool);
}

void config_clear(struct config *config)
{
        for (size_t i = 0; i < config->pool_count; i++)
                pool_config_free(config->pools[i]);
        free(config->pools);
        for (int i = 0; i < MASTER_OPTION_COUNT; i++)
                option_value_clear(&master_options[i], &config->master);
        for (size_t i = 0; i < config->file_count; i++)
                free(config->files[i]);
        free(config->files);
        *config = (struct config){0};
}
