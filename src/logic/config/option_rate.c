/* Rates: `50/s`, `600/m burst 20`. */
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/option_types.h"

static const struct {
        const char *word;
        uint64_t ms;
} periods[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}};

/* NUMBER/s, /m or /h. */
static int parse_count(char *word, struct rate *ret)
{
        char *slash = strchr(word, '/');

        if (!slash)
                return -EINVAL;
        *slash = '\0';
        int r = number_parse(word, &ret->count);
        *slash = '/';
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(periods); i++)
                if (text_equal(slash + 1, periods[i].word)) {
                        ret->period_ms = periods[i].ms;
                        return 0;
                }
        return -EINVAL;
}

static int rate_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        struct rate rate = {0};
        (void)error;

        if (words->count != 1 && (words->count != 3 || !text_equal(words->list[1], "burst")))
                return -EINVAL;
        int r = parse_count(words->list[0], &rate);
        if (r < 0)
                return r;
        rate.burst = rate.count;
        if (words->count == 3)
                r = number_parse(words->list[2], &rate.burst);
        if (r < 0)
                return r;
        if (MIN_OF(rate.count, rate.burst) < option->min || MAX_OF(rate.count, rate.burst) > option->max)
                return -ERANGE;
        *OPTION_FIELD(option, base, struct rate) = rate;
        return 0;
}

static int rate_print(const struct option *option, const void *base, struct text *text)
{
        const struct rate *rate = OPTION_FIELD_CONST(option, base, struct rate);

        for (size_t i = 0; i < ELEMENTS(periods); i++)
                if (periods[i].ms == rate->period_ms)
                        return text_appendf(text, "%" PRIu64 "/%s burst %" PRIu64, rate->count, periods[i].word,
                                            rate->burst);
        return 0;
}

static int rate_expectation(const struct option *option, struct text *text)
{
        return text_appendf(text, "a rate such as 50/s or 600/m burst 20, of numbers from %" PRIu64 " to %" PRIu64,
                            option->min, option->max);
}

static bool rate_equal(const struct option *option, const void *a, const void *b)
{
        const struct rate *one = OPTION_FIELD_CONST(option, a, struct rate);
        const struct rate *other = OPTION_FIELD_CONST(option, b, struct rate);

        return one->count == other->count && one->period_ms == other->period_ms && one->burst == other->burst;
}

static void rate_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, struct rate) = (struct rate){0};
}

const struct option_operations option_rate = {.takes_list = true,
                                              .noun = "a rate",
                                              .parse = rate_parse,
                                              .print = rate_print,
                                              .expectation = rate_expectation,
                                              .equal = rate_equal,
                                              .clear = rate_clear};
