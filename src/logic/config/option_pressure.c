/* Limits of pressure: `60%`, `cpu 80% memory 20%`. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/option_types.h"

static int parse_percent(const struct option *option, const char *word, uint64_t *ret)
{
        int r = number_parse_percent(word, ret);

        return r == 0 && (*ret < option->min || *ret > option->max) ? -ERANGE : r;
}

/* Pairs of a resource, each at most once, and its limit. */
static int parse_pairs(const struct option *option, const struct words *words, struct pressure_limits *limits)
{
        for (size_t i = 0; i + 1 < words->count; i += 2) {
                uint64_t *percent = NULL;
                for (int j = 0; j < PRESSURE_RESOURCE_COUNT; j++)
                        if (text_equal(words->list[i], pressure_resource_name((enum pressure_resource)j)))
                                percent = &limits->percent[j];
                if (!percent || *percent > 0)
                        return -EINVAL;
                int r = parse_percent(option, words->list[i + 1], percent);
                if (r < 0)
                        return r;
        }
        return words->count % 2 == 0 ? 0 : -EINVAL;
}

static int pressure_limits_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        struct pressure_limits limits = {0};
        uint64_t percent = 0;
        (void)error;

        int r = words->count == 1 ? parse_percent(option, words->list[0], &percent)
                                  : parse_pairs(option, words, &limits);
        if (r < 0)
                return r;
        for (size_t i = 0; i < PRESSURE_RESOURCE_COUNT && percent > 0; i++)
                limits.percent[i] = percent;
        *OPTION_FIELD(option, base, struct pressure_limits) = limits;
        return 0;
}

static int pressure_limits_print(const struct option *option, const void *base, struct text *text)
{
        const struct pressure_limits *limits = OPTION_FIELD_CONST(option, base, struct pressure_limits);
        const char *separator = "";
        int r = 0;

        static_assert(PRESSURE_RESOURCE_COUNT == 2, "all limits are the same");
        if (limits->percent[0] > 0 && limits->percent[0] == limits->percent[1])
                return text_appendf(text, "%" PRIu64 "%%", limits->percent[0]);
        for (int i = 0; i < PRESSURE_RESOURCE_COUNT && r == 0; i++)
                if (limits->percent[i] > 0) {
                        r = text_appendf(text, "%s%s %" PRIu64 "%%", separator,
                                         pressure_resource_name((enum pressure_resource)i), limits->percent[i]);
                        separator = " ";
                }
        return r;
}

static int pressure_limits_expectation(const struct option *option, struct text *text)
{
        return text_appendf(text,
                            "limits such as 60%%, cpu 80%% or cpu 80%% memory 20%%, of %" PRIu64 "%% to %" PRIu64 "%%",
                            option->min, option->max);
}

static bool pressure_limits_equal(const struct option *option, const void *a, const void *b)
{
        const struct pressure_limits *one = OPTION_FIELD_CONST(option, a, struct pressure_limits);
        const struct pressure_limits *other = OPTION_FIELD_CONST(option, b, struct pressure_limits);
        bool equal = true;

        for (size_t i = 0; i < PRESSURE_RESOURCE_COUNT; i++)
                equal &= one->percent[i] == other->percent[i];
        return equal;
}

static void pressure_limits_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, struct pressure_limits) = (struct pressure_limits){0};
}

const struct option_operations option_pressure_limits = {.takes_list = true,
                                                         .noun = "a limit of pressure",
                                                         .parse = pressure_limits_parse,
                                                         .print = pressure_limits_print,
                                                         .expectation = pressure_limits_expectation,
                                                         .equal = pressure_limits_equal,
                                                         .clear = pressure_limits_clear};
