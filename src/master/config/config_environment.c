#include "master/config/config_environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/text.h"
#include "logic/config/environment_file.h"
#include "logic/config/schema.h"
#include "logic/config/variables.h"
#include "master/config/config_file.h"

__attribute__((format(printf, 4, 5))) static void report(const struct pool_config *pool, enum pool_option option,
                                                         struct problem_list *problems, const char *format, ...)
{
        const struct origin *origin = &pool->origins[option];
        _cleanup_(text_clear) struct text text = {0};
        va_list arguments;

        va_start(arguments, format);
        if (text_appendv(&text, format, arguments) < 0)
                problems->out_of_memory = true;
        va_end(arguments);
        problem_add(problems, origin->file, origin->line, "%s: %s", pool_options[option].name, text_string(&text));
}

/* Append the variables of a file, which `word` names. 0 or -ENOMEM. */
static int read_file(const struct pool_config *pool, const char *word, struct words *ret, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};
        bool may_be_missing = word[0] == '-';
        const char *path = word + may_be_missing;

        int r = config_file_load(path, CONFIG_FILE_REGULAR, &text, problems);
        if (r == -ENOENT && may_be_missing)
                return 0;
        if (r < 0 && r != -ENOMEM) {
                report(pool, POOL_ENVIRONMENT_FILE, problems, "cannot read \"%s\": %s", path, config_file_error(r));
                return 0;
        }
        return r < 0 ? r : environment_file_parse(path, text_string(&text), text.length, ret, problems);
}

/* Replace the pool's environment by what counts of it and of these variables of files. 0 or -ENOMEM. */
static int add_variables(struct pool_config *pool, const struct words *variables)
{
        const struct words own = secret_words_view(&pool->environment);
        _cleanup_(words_clear) struct words all = {0}, kept = {0}, names = {0};
        int r = words_copy(&own, &all);

        for (size_t i = 0; i < variables->count && r == 0; i++)
                r = words_add(&all, variables->list[i]);
        if (r == 0)
                r = variables_keep_last(&all, &kept);
        if (r == 0)
                r = secret_words_set(&pool->environment, &kept);
        for (size_t i = 0; i < variables->count && r == 0; i++) {
                _cleanup_(freep) char *name = strndup(variables->list[i], strcspn(variables->list[i], "="));
                r = name ? words_add(&names, name) : -ENOMEM;
        }
        return r < 0 ? r : variables_keep_last(&names, &pool->file_variables);
}

static bool has_variable(const struct pool_config *pool, const char *name)
{
        for (size_t i = 0; i < pool->environment.count; i++)
                if (variables_same_name(pool->environment.list[i], name))
                        return true;
        return false;
}

static int pass(struct pool_config *pool, const char *name, struct problem_list *problems)
{
        const char *value = getenv(name);
        _cleanup_(text_clear) struct text variable = {0};

        if (!value || variables_are_withheld(name) || has_variable(pool, name))
                return 0;
        int r = text_appendf(&variable, "%s=%s", name, value);
        if (r < 0 || text_printable_length(text_string(&variable), variable.length) == variable.length)
                return r < 0 ? r : secret_words_add(&pool->environment, text_string(&variable));
        report(pool, POOL_PASS_ENVIRONMENT, problems,
               "%s has a value with control characters, or that is not UTF-8 text", name);
        return 0;
}

static int complete(struct pool_config *pool, struct problem_list *problems)
{
        _cleanup_(words_clear) struct words variables = {0};
        int r = 0;

        for (size_t i = 0; i < pool->environment_file.count && r == 0; i++)
                r = read_file(pool, pool->environment_file.list[i], &variables, problems);
        if (r == 0 && variables.count > 0)
                r = add_variables(pool, &variables);
        for (size_t i = 0; i < pool->pass_environment.count && r == 0; i++)
                r = pass(pool, pool->pass_environment.list[i], problems);
        return r;
}

int config_environment_complete(struct config *config, struct problem_list *problems)
{
        int r = 0;

        for (size_t i = 0; i < config->pool_count && r == 0; i++)
                r = complete(config->pools[i], problems);
        return r;
}
