#include "logic/config/scale.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/config_options.h"
#include "logic/config/option_value.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"
#include "logic/config/schema.h"
#include "logic/config/spelling.h"

/* True if the option applies in place. */
static bool is_offered(const struct option *option)
{
        return option->effect == EFFECT_IN_PLACE && !option->not_built;
}

/* The option of that name, or of that name with `_workers`; -1: none. */
static int find_option(const char *key)
{
        char longer[64];
        int index = pool_option_find(key);

        if (index >= 0)
                return index;
        snprintf(longer, sizeof(longer), "%s_workers", key);
        return pool_option_find(longer);
}

static void refuse_key(const char *key, struct problem_list *problems)
{
        struct spelling spelling = {.word = key};

        for (int i = 0; i < POOL_OPTION_COUNT; i++)
                if (is_offered(&pool_options[i]))
                        spelling_offer(&spelling, pool_options[i].name);
        if (spelling.best)
                problem_add(problems, NULL, 0, "unknown key '%.64s'; did you mean '%s'?", key, spelling.best);
        else
                problem_add(problems, NULL, 0, "unknown key '%.64s'", key);
}

static int apply(struct pool_config *pool, const char *setting, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text error = {0};
        const char *equals = strchr(setting, '=');
        _cleanup_(freep) char *key = equals ? strndup(setting, (size_t)(equals - setting)) : strdup(setting);

        if (!key)
                return -ENOMEM;
        int index = find_option(key);
        if (index < 0 || !equals) {
                refuse_key(key, problems);
                return 0;
        }
        const struct option *option = &pool_options[index];
        if (!is_offered(option)) {
                problem_add(problems, NULL, 0, "%s cannot change without a reload: a change of it %s", option->name,
                            reload_effect_name(option->effect));
                return 0;
        }
        int r = option_value_parse(option, pool, equals + 1, &error);
        if (r == -EINVAL)
                problem_add(problems, NULL, 0, "%s: %s", option->name, text_string(&error));
        pool->origins[index] = (struct origin){.line = 1, .refused = r < 0};
        return r == -EINVAL ? 0 : r;
}

/* A copy that keeps which values were set and which are defaults, so that defaults are fitted again. */
static int copy(const struct config *running, struct config *ret, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};
        int r = config_print(running, true, &text);

        return r < 0 ? r : config_parse_canonical(ret, text_string(&text), text.length, problems);
}

int config_scale(const struct config *running, const char *pool_name, char *const *settings, size_t count,
                 const struct config_context *context, struct config **ret, struct problem_list *problems)
{
        _cleanup_(problem_list_clear) struct problem_list found = {0};
        struct config *config = calloc(1, sizeof(*config));
        int r = config ? copy(running, config, &found) : -ENOMEM;

        *ret = NULL;
        if (r == 0) {
                struct pool_config *pool = config_find_pool(config, pool_name);
                if (!pool)
                        problem_add(&found, NULL, 0, "there is no pool \"%s\"", pool_name);
                for (size_t i = 0; pool && i < count && r == 0; i++)
                        r = apply(pool, settings[i], &found);
        }
        if (r == 0)
                r = config_finish(config, context, &found);
        problem_list_add_errors(problems, &found);
        if (r < 0 || problem_list_refuses(&found)) {
                if (config)
                        config_clear(config);
                free(config);
                return r;
        }
        *ret = config;
        return 0;
}
