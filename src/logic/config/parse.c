#include "logic/config/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/choice.h"
#include "logic/config/config_options.h"
#include "logic/config/foreign.h"
#include "logic/config/ini_reader.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"
#include "logic/config/spelling.h"

#define MASTER_SECTION "preforkd"
#define POOL_NAME_MAX 48
#define COMMAND_LINE_POOL "main"

/* One reading of one file: where the reader's events go. */
struct parser {
        struct config *config;
        struct problem_list *problems;
        struct pool_config *pool; /* the section we are in, if it is a pool's */
        bool in_master;           /* … if it is [preforkd]; neither: the section was refused and so are its keys */
        bool canonical;           /* config_print() wrote it, not a user */
};

/* One option about to be set. */
struct setting {
        const struct option *option;
        void *base;
        struct origin *origin;
        const char *label; /* the option's name as its user wrote it: `max_workers`, `--max-workers` */
};

/* Set the option, which was written at `place`; `value` NULL: it was refused already. 0 or -ENOMEM. */
static int set_option(struct problem_list *problems, const struct setting *setting, const char *value,
                      struct origin place)
{
        _cleanup_(text_clear) struct text error = {0};
        struct origin *origin = setting->origin;

        if (setting->option->not_built) {
                problem_add(problems, place.file, place.line, "%s is not available yet", setting->label);
                return 0;
        }
        if (origin->line > 0) {
                if (origin->file)
                        problem_add(problems, place.file, place.line, "%s is set twice; it was first set at %s:%u",
                                    setting->label, origin->file, origin->line);
                else
                        problem_add(problems, place.file, 0, "%s is given twice", setting->label);
                return 0;
        }
        *origin = place;
        origin->refused = !value;
        int r = value ? option_value_parse(setting->option, setting->base, value, &error) : 0;
        if (r == -EINVAL) {
                /* The command line has no lines: 1 marks the value as set and is not shown without a file. */
                problem_add(problems, place.file, place.line, "%s: %s", setting->label, text_string(&error));
                origin->refused = true;
                return 0;
        }
        return r;
}

static void offer_options(struct spelling *spelling, const struct option *options, int count)
{
        for (int i = 0; i < count; i++)
                if (!options[i].not_built)
                        spelling_offer(spelling, options[i].name);
}

/* 0 or -ENOMEM. */
static int report_unknown_key(struct parser *parser, const char *word, struct origin place)
{
        _cleanup_(text_clear) struct text excerpt = {0};
        struct spelling spelling = {.word = word};
        int r = text_append_excerpt(&excerpt, word, strlen(word));
        const char *key = text_string(&excerpt);

        if (r < 0)
                return r;
        if (parser->canonical)
                problem_warn(parser->problems, place.file, place.line, "'%s' is not known to this version: ignored",
                             key);
        else if (!parser->in_master && master_option_find(key) >= 0)
                problem_add(parser->problems, place.file, place.line,
                            "'%s' is a key of [" MASTER_SECTION "], not of a pool", key);
        else if (parser->in_master && pool_option_find(key) >= 0)
                problem_add(parser->problems, place.file, place.line,
                            "'%s' is a key of pools, not of [" MASTER_SECTION "]", key);
        else if (foreign_find(word)) {
                _cleanup_(text_clear) struct text foreign = {0};
                r = foreign_describe(foreign_find(word), false, &foreign);
                problem_add(parser->problems, place.file, place.line, "unknown key '%s': %s", key,
                            text_string(&foreign));
        } else {
                if (parser->in_master)
                        offer_options(&spelling, master_options, MASTER_OPTION_COUNT);
                else
                        offer_options(&spelling, pool_options, POOL_OPTION_COUNT);
                if (spelling.best)
                        problem_add(parser->problems, place.file, place.line, "unknown key '%s'; did you mean '%s'?",
                                    key, spelling.best);
                else
                        problem_add(parser->problems, place.file, place.line, "unknown key '%s'", key);
        }
        return r;
}

/* The place as an origin, with the file's name kept in the config. 0 or -ENOMEM. */
static int keep_place(struct config *config, struct ini_place place, struct origin *ret)
{
        const char *file = place.file ? config_intern_file(config, place.file) : NULL;

        if (place.file && !file)
                return -ENOMEM;
        *ret = (struct origin){.file = file, .line = place.line};
        return 0;
}

static bool pool_name_is_valid(const char *name)
{
        /* The reader allows only letters, digits, `_`, `-` and `.`. A name must also be usable as an argument and in a
         * path. */
        return strlen(name) <= POOL_NAME_MAX && isalnum((unsigned char)name[0]);
}

/* 0 or -ENOMEM. */
static int report_bad_pool_name(struct parser *parser, const char *name, struct origin place)
{
        _cleanup_(text_clear) struct text excerpt = {0};
        int r = text_append_excerpt(&excerpt, name, strlen(name));

        if (r == 0)
                problem_add(parser->problems, place.file, place.line,
                            "\"%s\" is not a valid pool name; expected a letter or digit first, and at most %d bytes",
                            text_string(&excerpt), POOL_NAME_MAX);
        return r;
}

static int on_section(void *context, const char *name, struct ini_place ini_place)
{
        struct parser *parser = context;
        struct origin place;
        int r = keep_place(parser->config, ini_place, &place);

        parser->pool = NULL;
        parser->in_master = text_equal(name, MASTER_SECTION);
        if (r < 0 || parser->in_master || name[0] == '\0')
                return r;
        if (text_equal(name, CONFIG_DEFAULTS_SECTION)) {
                parser->pool = config_make_defaults(parser->config, place);
                return parser->pool ? 0 : -ENOMEM;
        }
        const struct pool_config *known = config_find_pool(parser->config, name);
        if (known && known->section.file)
                problem_add(parser->problems, place.file, place.line, "pool \"%s\" is already defined at %s:%u", name,
                            known->section.file, known->section.line);
        else if (known)
                problem_add(parser->problems, place.file, place.line, "pool \"%s\" is already defined", name);
        else if (!pool_name_is_valid(name))
                r = report_bad_pool_name(parser, name, place);
        else {
                parser->pool = config_add_pool(parser->config, name, place);
                r = parser->pool ? 0 : -ENOMEM;
        }
        return r;
}

static bool take_directory_id(const struct parser *parser, const char *key, const char *value)
{
        struct directory_id *id = text_equal(key, CONFIG_DIRECTORY_ID)        ? &parser->pool->directory_id
                                  : text_equal(key, CONFIG_ROOT_DIRECTORY_ID) ? &parser->pool->root_directory_id
                                                                              : NULL;
        struct directory_id read = {0};

        if (id && value && number_next(&value, &read.device) == 0 && number_next(&value, &read.inode) == 0)
                *id = read;
        return id != NULL;
}

/* Take a value of the canonical form that is no option. 1; 0: the key is none of them; -ENOMEM. */
static int take_noted(const struct parser *parser, const char *key, const char *value)
{
        int r;

        if (take_directory_id(parser, key, value))
                return 1;
        if (text_equal(key, CONFIG_FILE_VARIABLES)) {
                words_clear(&parser->pool->file_variables);
                return value && words_split(value, &parser->pool->file_variables) == -ENOMEM ? -ENOMEM : 1;
        }
        if (text_equal(key, CONFIG_HANDLER_FILES))
                r = value ? handler_files_parse(value, &parser->pool->handler_files) : 0;
        else if (text_equal(key, CONFIG_ACCESS))
                r = value ? pool_access_take(&parser->pool->access, value) : 0;
        else if (text_equal(key, CONFIG_PROXIES))
                r = value ? pool_access_take(&parser->pool->proxies, value) : 0;
        else if (text_equal(key, CONFIG_FULL_RESPONSE))
                r = value ? message_take_bytes(&parser->pool->full_response, value) : 0;
        else if (text_equal(key, CONFIG_BANNER))
                r = value ? message_take_bytes(&parser->pool->banner, value) : 0;
        else
                return choice_take(parser->pool, key, value);
        return r == -ENOMEM ? r : 1;
}

static int on_value(void *context, const char *key, const char *value, struct ini_place ini_place)
{
        struct parser *parser = context;
        struct setting setting = {.label = key};
        struct origin place;
        int index;
        int r = keep_place(parser->config, ini_place, &place);

        if (r < 0)
                return r;
        if (parser->in_master && (index = master_option_find(key)) >= 0) {
                setting.option = &master_options[index];
                setting.base = &parser->config->master;
                setting.origin = &parser->config->master.origins[index];
        } else if (parser->pool && (index = pool_option_find(key)) >= 0) {
                setting.option = &pool_options[index];
                setting.base = parser->pool;
                setting.origin = &parser->pool->origins[index];
                if (parser->pool == parser->config->defaults && setting.option->no_default) {
                        problem_add(parser->problems, place.file, place.line,
                                    "%s: each pool has its own; expected it in "
                                    "the sections of pools",
                                    key);
                        return 0;
                }
        } else if (parser->canonical && parser->pool && (r = take_noted(parser, key, value)) != 0) {
                return r < 0 ? r : 0;
        } else {
                return parser->in_master || parser->pool ? report_unknown_key(parser, key, place) : 0;
        }
        return set_option(parser->problems, &setting, value, place);
}

static bool is_key(const char *word)
{
        return pool_option_find(word) >= 0 || master_option_find(word) >= 0;
}

static int parse(struct config *config, const char *file, const char *bytes, size_t length, bool canonical,
                 struct problem_list *problems)
{
        struct parser parser = {.config = config, .problems = problems, .canonical = canonical};
        const struct ini_events events = {
                .context = &parser, .section = on_section, .value = on_value, .is_key = is_key};

        return ini_read(&events, file, bytes, length, canonical, problems);
}

int config_parse(struct config *config, const char *file, const char *bytes, size_t length,
                 struct problem_list *problems)
{
        return parse(config, file, bytes, length, false, problems);
}

int config_parse_canonical(struct config *config, const char *bytes, size_t length, struct problem_list *problems)
{
        return parse(config, NULL, bytes, length, true, problems);
}

int config_from_canonical(const char *bytes, size_t length, const struct config_context *context, struct config **ret,
                          struct problem_list *problems)
{
        _cleanup_(problem_list_clear) struct problem_list finishing = {0};
        struct config *config = calloc(1, sizeof(*config));

        int r = config ? config_parse_canonical(config, bytes, length, problems) : -ENOMEM;
        if (r == 0)
                r = config_finish(config, context, &finishing);
        problem_list_add_errors(problems, &finishing);
        if (r == 0 && !problem_list_refuses(problems)) {
                *ret = config;
                return 0;
        }
        if (config)
                config_clear(config);
        free(config);
        return r;
}

/* The command line: the same options under names with dashes. */

/* Append `--max-workers` for max_workers. */
static int append_option_label(struct text *text, const char *key)
{
        int r = text_append(text, "--");

        for (; *key != '\0' && r == 0; key++)
                r = text_append_bytes(text, *key == '_' ? "-" : key, 1);
        return r;
}

static int report_unknown_option(const char *name, const char *label, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text best = {0};
        struct spelling spelling = {.word = name};
        const struct foreign_word *foreign = foreign_find(name);

        if (foreign) {
                int r = foreign_describe(foreign, true, &best);
                problem_add(problems, NULL, 0, "unknown option '%s': %s", label, text_string(&best));
                return r;
        }
        offer_options(&spelling, pool_options, POOL_OPTION_COUNT);
        offer_options(&spelling, master_options, MASTER_OPTION_COUNT);
        if (spelling.best) {
                int r = append_option_label(&best, spelling.best);
                if (r < 0)
                        return r;
                problem_add(problems, NULL, 0, "unknown option '%s'; did you mean '%s'?", label, text_string(&best));
        } else
                problem_add(problems, NULL, 0, "unknown option '%s'", label);
        return 0;
}

/* Find the option and where it is stored; adds the pool if it is the first option of it. 0, -ENOENT or -ENOMEM. */
static int find_setting(struct config *config, const char *name, struct setting *ret)
{
        const struct origin section = {.line = 1};
        int index = master_option_find(name);

        if (index >= 0) {
                ret->option = &master_options[index];
                ret->base = &config->master;
                ret->origin = &config->master.origins[index];
                return 0;
        }
        index = pool_option_find(name);
        if (index < 0)
                return -ENOENT;
        struct pool_config *pool = config_find_pool(config, COMMAND_LINE_POOL);
        if (!pool)
                pool = config_add_pool(config, COMMAND_LINE_POOL, section);
        if (!pool)
                return -ENOMEM;
        ret->option = &pool_options[index];
        ret->base = pool;
        ret->origin = &pool->origins[index];
        return 0;
}

int config_parse_option(struct config *config, const char *key, const char *value, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text name = {0}, label = {0};
        struct setting setting = {0};
        int r = text_append(&name, key);

        for (size_t i = 0; i < name.length; i++)
                if (name.bytes[i] == '-')
                        name.bytes[i] = '_';
        if (r == 0)
                r = append_option_label(&label, key);
        if (r < 0)
                return r;
        setting.label = text_string(&label);
        r = find_setting(config, text_string(&name), &setting);
        if (r == -ENOENT)
                return report_unknown_option(text_string(&name), setting.label, problems);
        if (r < 0)
                return r;
        if (text_printable_length(value, strlen(value)) < strlen(value)) {
                /* Neither a file nor the canonical form can hold it. */
                problem_add(problems, NULL, 0, "%s: the value has control characters or is not UTF-8 text",
                            setting.label);
                value = NULL;
        }
        return set_option(problems, &setting, value, (struct origin){.line = 1});
}
