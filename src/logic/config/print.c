#include "logic/config/print.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/choice.h"
#include "logic/config/ini_writer.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"
#include "logic/config/variables.h"

struct printer {
        struct text *text;
        bool with_origins;
        bool masked;       /* secret values are not shown */
        bool with_choices; /* what auto stands for is shown */
};

static int print_value(const struct printer *printer, const struct option *option, const void *base, struct text *text)
{
        return printer->masked ? option_value_print_masked(option, base, text) : option_value_print(option, base, text);
}

/* `; start_method = auto means forkserver; snapshot cannot be used: …`, for people who ask what a file says. */
static int print_choice(const struct printer *printer, const struct pool_config *pool, enum pool_option option)
{
        bool can_be_auto = option == POOL_START_METHOD || option == POOL_COPY;

        if (!can_be_auto || !choice_is_made(pool, option) || !printer->with_choices)
                return 0;
        int r = text_appendf(printer->text, "; %s = auto means ", pool_options[option].name);
        if (r == 0)
                r = choice_describe(pool, option, choice_why(pool, option), printer->text);
        return r == 0 ? text_append(printer->text, "\n") : r;
}

static int print_option(const struct printer *printer, const struct option *option, const void *base,
                        const struct origin *origin)
{
        _cleanup_(text_clear) struct text value = {0};
        int r = print_value(printer, option, base, &value);

        if (r == 0 && printer->masked && option_value_is_secret(option) && value.length > 0)
                r = text_appendf(printer->text, "; Values of %s are shown to root and preforkd's own user only:\n",
                                 option->name);
        if (r == 0 && printer->with_origins)
                r = ini_write_line_directive(printer->text,
                                             (struct ini_place){.file = origin->file, .line = origin->line});
        return r < 0 ? r : ini_write_value(printer->text, option->name, text_string(&value));
}

/* True if the field holds what the option's default stands for (unset, if it has none). Out of memory: false, so that
 * the option is printed. */
static bool holds_default(const struct pool_config *pool, enum pool_option option)
{
        const struct option *entry = &pool_options[option];
        _cleanup_(text_clear) struct text value = {0};

        return option_value_print(entry, pool, &value) == 0 &&
               text_equal(text_string(&value), entry->default_text ? entry->default_text : "");
}

/* An option without an effect in the pool would cause a warning, or with static scaling an error, when read back. */
static bool is_printed(const struct pool_config *pool, enum pool_option option)
{
        bool threshold =
                option == POOL_MIN_SPARE_WORKERS || option == POOL_MAX_SPARE_WORKERS || option == POOL_START_WORKERS;

        if (pool_options[option].not_built)
                return false;
        return pool_config_uses(pool, option) || (!threshold && !holds_default(pool, option));
}

/* `; max_workers is 8 in the configuration; the value below holds until the next reload`, if that is so. */
static int print_configured(const struct printer *printer, const struct pool_config *pool,
                            const struct pool_config *configured, enum pool_option option)
{
        _cleanup_(text_clear) struct text value = {0};

        if (!configured || pool_option_equal(pool, configured, option))
                return 0;
        int r = print_value(printer, &pool_options[option], configured, &value);
        return r < 0 ? r
                     : text_appendf(printer->text, "; %s is %s in the configuration; until the next reload it is:\n",
                                    pool_options[option].name, text_string(&value));
}

/* What is no option, for those who read the canonical form: see parse.c. */
static int print_handler_files(const struct printer *printer, const struct handler_files *files)
{
        _cleanup_(text_clear) struct text value = {0};

        if (!printer->with_origins || files->count == 0)
                return 0;
        int r = handler_files_print(files, &value);
        return r < 0 ? r : ini_write_value(printer->text, CONFIG_HANDLER_FILES, text_string(&value));
}

static int print_access(const struct printer *printer, const char *key, const struct pool_access *access)
{
        _cleanup_(text_clear) struct text value = {0};

        if (!printer->with_origins || !access->is_known)
                return 0;
        int r = access_rules_print(&access->rules, &value);
        return r < 0 ? r : ini_write_value(printer->text, key, text_string(&value));
}

static int print_message(const struct printer *printer, const char *key, const struct message *message)
{
        _cleanup_(text_clear) struct text value = {0};

        if (!printer->with_origins || !message->path || !message->bytes)
                return 0;
        int r = message_print_bytes(message, &value);
        return r < 0 ? r : ini_write_value(printer->text, key, text_string(&value));
}

static int print_directory_id(const struct printer *printer, const char *key, const struct directory_id *id)
{
        if (!printer->with_origins || id->inode == 0)
                return 0;
        return text_appendf(printer->text, "%s = %" PRIu64 " %" PRIu64 "\n", key, id->device, id->inode);
}

static bool is_of_file(const struct pool_config *pool, const char *variable)
{
        for (size_t i = 0; i < pool->file_variables.count; i++)
                if (variables_same_name(pool->file_variables.list[i], variable))
                        return true;
        return false;
}

/* For people: the variables without those of files, which are told apart, and without their values. */
static int print_environment(const struct printer *printer, const struct pool_config *pool)
{
        struct pool_config shown = *pool;
        _cleanup_(words_clear) struct words own = {0};
        const struct option *option = &pool_options[POOL_ENVIRONMENT];
        int r = 0;

        shown.environment = (struct secret_words){0};
        for (size_t i = 0; i < pool->environment.count && r == 0; i++)
                if (!is_of_file(pool, pool->environment.list[i]))
                        r = words_add(&own, pool->environment.list[i]);
        if (r == 0)
                r = secret_words_set(&shown.environment, &own);
        if (r == 0)
                r = print_option(printer, option, &shown, &pool->origins[POOL_ENVIRONMENT]);
        secret_words_clear(&shown.environment);
        for (size_t i = 0; i < pool->file_variables.count && r == 0; i++)
                r = text_appendf(printer->text, "%s%s=***%s", i == 0 ? "; of environment_file: " : " ",
                                 pool->file_variables.list[i], i + 1 == pool->file_variables.count ? "\n" : "");
        return r;
}

/* In the canonical form as it is. */
static int print_pool_option(const struct printer *printer, const struct pool_config *pool, enum pool_option option)
{
        if (option == POOL_ENVIRONMENT && !printer->with_origins && pool->file_variables.count > 0)
                return print_environment(printer, pool);
        return print_option(printer, &pool_options[option], pool, &pool->origins[option]);
}

static int print_file_variables(const struct printer *printer, const struct words *names)
{
        _cleanup_(text_clear) struct text value = {0};

        if (!printer->with_origins || names->count == 0)
                return 0;
        int r = words_join(&value, names);
        return r < 0 ? r : ini_write_value(printer->text, CONFIG_FILE_VARIABLES, text_string(&value));
}

static int print_pool(const struct printer *printer, const struct pool_config *pool,
                      const struct pool_config *configured)
{
        int r = text_append(printer->text, "\n");

        if (r == 0 && printer->with_origins)
                r = ini_write_line_directive(
                        printer->text, (struct ini_place){.file = pool->section.file, .line = pool->section.line});
        if (r == 0)
                r = text_appendf(printer->text, "[%s]\n", pool->name);
        for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++)
                if (is_printed(pool, (enum pool_option)i)) {
                        r = print_configured(printer, pool, configured, (enum pool_option)i);
                        if (r == 0)
                                r = print_choice(printer, pool, (enum pool_option)i);
                        if (r == 0)
                                r = print_pool_option(printer, pool, (enum pool_option)i);
                }
        if (r == 0)
                r = print_file_variables(printer, &pool->file_variables);
        if (r == 0)
                r = print_handler_files(printer, &pool->handler_files);
        if (r == 0)
                r = print_access(printer, CONFIG_ACCESS, &pool->access);
        if (r == 0)
                r = print_access(printer, CONFIG_PROXIES, &pool->proxies);
        if (r == 0)
                r = print_message(printer, CONFIG_FULL_RESPONSE, &pool->full_response);
        if (r == 0)
                r = print_message(printer, CONFIG_BANNER, &pool->banner);
        if (r == 0)
                r = print_directory_id(printer, CONFIG_DIRECTORY_ID, &pool->directory_id);
        if (r == 0)
                r = print_directory_id(printer, CONFIG_ROOT_DIRECTORY_ID, &pool->root_directory_id);
        return r == 0 && printer->with_origins ? choice_print(pool, printer->text) : r;
}

/* `configured` may be NULL. */
static int print_all(const struct printer *printer, const struct config *config, const struct config *configured)
{
        int r = text_append(printer->text, "[preforkd]\n");

        for (int i = 0; i < MASTER_OPTION_COUNT && r == 0; i++)
                if (!master_options[i].not_built)
                        r = print_option(printer, &master_options[i], &config->master, &config->master.origins[i]);
        for (size_t i = 0; i < config->pool_count && r == 0; i++)
                r = print_pool(printer, config->pools[i], configured ? configured->pools[i] : NULL);
        return r;
}

int config_print(const struct config *config, bool with_origins, struct text *text)
{
        const struct printer printer = {.text = text, .with_origins = with_origins, .with_choices = !with_origins};

        return print_all(&printer, config, NULL);
}

int config_print_overlaid(const struct config *config, const struct config *configured, bool masked, struct text *text)
{
        const struct printer printer = {.text = text, .masked = masked};

        return print_all(&printer, config, configured);
}

int config_print_pool_value(const struct pool_config *pool, enum pool_option option, struct text *text)
{
        return option_value_print(&pool_options[option], pool, text);
}

static int print_help(const struct option *option, struct text *text)
{
        int r = 0;

        if (option->not_built)
                return 0;
        if (option->default_text)
                r = text_appendf(text, "\n%s = %s\n", option->name, option->default_text);
        else
                r = text_appendf(text, "\n%s\n", option->name);
        if (r == 0)
                r = text_appendf(text, "        %s\n        takes %s", option->help,
                                 option->optional ? "nothing, or " : "");
        if (r == 0)
                r = option_value_expectation(option, text);
        return r < 0 ? r
                     : text_appendf(text, "\n        %s; a change %s\n", option_type_name(option->type),
                                    reload_effect_name(option->effect));
}

int config_print_help(struct text *text)
{
        int r = text_append(text, "Every key with its default. Files are INI; the manual is preforkd.conf(5).\n\n"
                                  "[preforkd]\n");

        for (int i = 0; i < MASTER_OPTION_COUNT && r == 0; i++)
                r = print_help(&master_options[i], text);
        if (r == 0)
                r = text_append(text, "\n[POOL]  any other section: a pool of that name\n");
        for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++)
                r = print_help(&pool_options[i], text);
        return r;
}
