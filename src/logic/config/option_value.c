#include "logic/config/option_value.h"

#include <assert.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/config/advice.h"
#include "logic/config/option_types.h"

static const struct option_operations *const operations[] = {
        [OPTION_BOOL] = &option_bool,
        [OPTION_NUMBER] = &option_number,
        [OPTION_SIGNED] = &option_signed,
        [OPTION_MODE] = &option_mode,
        [OPTION_DURATION] = &option_duration,
        [OPTION_SIZE] = &option_size,
        [OPTION_PERCENT] = &option_percent,
        [OPTION_ENUM] = &option_enum,
        [OPTION_PATH] = &option_path,
        [OPTION_NAME] = &option_name,
        [OPTION_LINE_FORMAT] = &option_line_format,
        [OPTION_WORDS] = &option_words,
        [OPTION_LISTEN] = &option_listen,
        [OPTION_ENVIRONMENT] = &option_environment,
        [OPTION_VARIABLE_NAMES] = &option_variable_names,
        [OPTION_FILES] = &option_files,
        [OPTION_ACCOUNT] = &option_account,
        [OPTION_ACCOUNT_LIST] = &option_account_list,
        [OPTION_LIMIT] = &option_limit,
        [OPTION_LIMIT_SIZE] = &option_limit_size,
        [OPTION_LOG_TARGET] = &option_log_target,
        [OPTION_RATE] = &option_rate,
        [OPTION_CLIENTS] = &option_clients,
        [OPTION_MESSAGE] = &option_message,
        [OPTION_PREFIXES] = &option_prefixes,
        [OPTION_PRESSURE] = &option_pressure_limits,
};
static_assert(ELEMENTS(operations) == OPTION_TYPE_COUNT, "operations for every enum option_type");

int option_quote_excerpt(struct text *text, const char *string)
{
        int r = text_append(text, "\"");

        if (r == 0)
                r = text_append_excerpt(text, string, strlen(string));
        return r < 0 ? r : text_append(text, "\"");
}

bool option_value_is_secret(const struct option *option)
{
        return operations[option->type]->print_masked;
}

/* `"value" what; expected …`. Returns -EINVAL, or -ENOMEM. */
static int refuse(const struct option *option, const char *value, const char *what, const char *noun,
                  struct text *error)
{
        bool is_secret = option_value_is_secret(option);
        const char *quote = advice_find_smart_quote(value);
        int r = is_secret ? text_append(error, "the value") : option_quote_excerpt(error, value);

        if (r == 0)
                r = text_appendf(error, " %s%s", what, noun);
        if (r == 0 && quote)
                r = text_appendf(error, " (%s is no quote here)", quote);
        if (r == 0)
                r = text_append(error, "; expected ");
        if (r == 0)
                r = option_value_expectation(option, error);
        return r < 0 ? r : -EINVAL;
}

static int parse_empty(const struct option *option, void *base, struct text *error)
{
        if (option->optional) {
                option_value_clear(option, base);
                return 0;
        }
        int r = text_append(error, "no value; expected ");
        if (r == 0)
                r = option_value_expectation(option, error);
        return r < 0 ? r : -EINVAL;
}

int option_value_parse(const struct option *option, void *base, const char *string, struct text *error)
{
        const struct option_operations *type = operations[option->type];
        _cleanup_(words_clear) struct words words = {0};
        size_t error_length = error->length;

        if (type->parse_text && string[strspn(string, " \t\n")] != '\0')
                return type->parse_text(option, base, string, error);
        int r = words_split(string, &words);
        if (r == -EINVAL)
                return refuse(option, string, "has an unclosed quote or ends in a backslash", "", error);
        if (r < 0)
                return r;
        if (words.count == 0)
                return parse_empty(option, base, error);
        r = type->advise ? type->advise(string, &words, error) : 0;
        if (r != 0)
                return r < 0 ? r : -EINVAL;
        if (!type->takes_list && words.count > 1 && (r = advice_about_unit(option->type, string, error)) != 0)
                return r < 0 ? r : -EINVAL;
        if (!type->takes_list && words.count > 1)
                return refuse(option, string, "is more than one word (quotes make it one)", "", error);

        r = type->parse(option, base, &words, error);
        if (r == -EINVAL && error->length == error_length) {
                int advised = advice_about_unit(option->type, string, error);
                if (advised != 0)
                        return advised < 0 ? advised : -EINVAL;
        }
        if ((r == -EINVAL || r == -ERANGE) && error->length == error_length)
                r = r == -EINVAL ? refuse(option, string, "is not ", type->noun, error)
                                 : refuse(option, string, "is out of range", "", error);
        return r == -ERANGE ? -EINVAL : r;
}

int option_value_print(const struct option *option, const void *base, struct text *text)
{
        return option->not_built ? 0 : operations[option->type]->print(option, base, text);
}

int option_value_print_masked(const struct option *option, const void *base, struct text *text)
{
        const struct option_operations *type = operations[option->type];

        return type->print_masked && !option->not_built ? type->print_masked(option, base, text)
                                                        : option_value_print(option, base, text);
}

int option_value_expectation(const struct option *option, struct text *text)
{
        return operations[option->type]->expectation(option, text);
}

bool option_value_equal(const struct option *option, const void *a, const void *b)
{
        return option->not_built || operations[option->type]->equal(option, a, b);
}

void option_value_clear(const struct option *option, void *base)
{
        if (!option->not_built)
                operations[option->type]->clear(option, base);
}

bool pool_option_equal(const struct pool_config *a, const struct pool_config *b, enum pool_option option)
{
        return option_value_equal(&pool_options[option], a, b);
}
