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

/* What [defaults] says, unless the pool says something. */
static int take_default(struct pool_config *pool, const struct pool_config *defaults, enum pool_option option)
{
        const struct origin *origin = &defaults->origins[option];
        _cleanup_(text_clear) struct text value = {0}, error = {0};

        if (pool->origins[option].line > 0 || origin->line == 0)
                return 0;
        int r = option_value_print(&pool_options[option], defaults, &value);
        if (r == 0 && !origin->refused)
                r = option_value_parse(&pool_options[option], pool, text_string(&value), &error);
        if (r < 0)
                return r;
        pool->origins[option] = *origin;
        pool->origins[option].of_defaults = true;
        return 0;
}

/* What [defaults] says about others than this pool. */
static int drop_unused(struct pool_config *pool, enum pool_option option)
{
        if (!pool->origins[option].of_defaults || pool_config_uses(pool, option))
                return 0;
        option_value_clear(&pool_options[option], pool);
        pool->origins[option] = (struct origin){0};
        return config_set_pool_default(pool, option);
}

static int set_pool_defaults(struct pool_config *pool, const struct pool_config *defaults)
{
        int r = 0;

        for (int i = 0; i < POOL_OPTION_COUNT && r == 0 && defaults; i++)
                r = take_default(pool, defaults, (enum pool_option)i);
        for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++)
                r = config_set_pool_default(pool, (enum pool_option)i);
        for (int i = 0; i < POOL_OPTION_COUNT && r == 0 && defaults; i++)
                r = drop_unused(pool, (enum pool_option)i);
        return r;
}

int config_set_defaults(struct config *config)
{
        int r = 0;

        for (int i = 0; i < MASTER_OPTION_COUNT && r == 0; i++)
                r = set_default(&master_options[i], &config->master, &config->master.origins[i]);
        for (size_t p = 0; p < config->pool_count && r == 0; p++)
                r = set_pool_defaults(config->pools[p], config->defaults);
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
        pool_access_clear(&pool->access);
        pool_access_clear(&pool->proxies);
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
        pool_config_free(config->defaults);
        for (int i = 0; i < MASTER_OPTION_COUNT; i++)
                option_value_clear(&master_options[i], &config->master);
        for (size_t i = 0; i < config->file_count; i++)
                free(config->files[i]);
        free(config->files);
        *config = (struct config){0};
}
