/* Resource limits: `soft[:hard]`, in plain numbers or sizes; `infinity` as in systemd's Limit… settings. */
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/option_types.h"
#include "logic/config/option_value.h"

static int parse_part(const struct option *option, const char *string, rlim_t *ret)
{
        uint64_t value;

        if (text_equal(string, "infinity")) {
                *ret = RLIM_INFINITY;
                return 0;
        }
        int r = option->type == OPTION_LIMIT_SIZE ? number_parse_size_bytes(string, &value)
                                                  : number_parse(string, &value);
        if (r < 0)
                return r;
        if (value < option->min || value > option->max)
                return -ERANGE;
        *ret = value;
        return 0;
}

static int limit_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        struct limit_value limit = {.set = true};
        char *soft = words->list[0], *colon = strchr(soft, ':');

        if (colon)
                *colon = '\0';
        int r = parse_part(option, soft, &limit.soft);
        if (r < 0)
                return r;
        limit.hard = limit.soft;
        if (colon)
                r = parse_part(option, colon + 1, &limit.hard);
        if (r < 0)
                return r;
        if (limit.soft > limit.hard) { /* RLIM_INFINITY is the largest rlim_t */
                r = text_appendf(error, "the soft limit %s is above the hard limit %s", soft, colon + 1);
                return r < 0 ? r : -EINVAL;
        }
        *OPTION_FIELD(option, base, struct limit_value) = limit;
        return 0;
}

static int print_part(const struct option *option, rlim_t value, struct text *text)
{
        if (value == RLIM_INFINITY)
                return text_append(text, "infinity");
        return option->type == OPTION_LIMIT_SIZE ? number_format_size_bytes(text, value)
                                                 : text_appendf(text, "%" PRIu64, (uint64_t)value);
}

static int limit_print(const struct option *option, const void *base, struct text *text)
{
        const struct limit_value *limit = OPTION_FIELD_CONST(option, base, struct limit_value);

        if (!limit->set)
                return 0;
        int r = print_part(option, limit->soft, text);
        if (r == 0 && limit->soft != limit->hard) {
                r = text_append(text, ":");
                if (r == 0)
                        r = print_part(option, limit->hard, text);
        }
        return r;
}

static int limit_expectation(const struct option *option, struct text *text)
{
        if (option->type == OPTION_LIMIT_SIZE)
                return text_append(text, "SOFT or SOFT:HARD, each a size (such as 64M) or infinity");
        return text_appendf(text, "SOFT or SOFT:HARD, each a whole number from %" PRIu64 " or infinity", option->min);
}

static bool limit_equal(const struct option *option, const void *a, const void *b)
{
        const struct limit_value *limit_a = OPTION_FIELD_CONST(option, a, struct limit_value);
        const struct limit_value *limit_b = OPTION_FIELD_CONST(option, b, struct limit_value);

        return limit_a->set == limit_b->set &&
               (!limit_a->set || (limit_a->soft == limit_b->soft && limit_a->hard == limit_b->hard));
}

static void limit_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, struct limit_value) = (struct limit_value){0};
}

const struct option_operations option_limit = {.noun = "a limit",
                                               .parse = limit_parse,
                                               .print = limit_print,
                                               .expectation = limit_expectation,
                                               .equal = limit_equal,
                                               .clear = limit_clear};
const struct option_operations option_limit_size = {.noun = "a limit in bytes",
                                                    .parse = limit_parse,
                                                    .print = limit_print,
                                                    .expectation = limit_expectation,
                                                    .equal = limit_equal,
                                                    .clear = limit_clear};
