/* How much of an IPv4 and of an IPv6 address: `32/64`. */
#include <errno.h>
#include <inttypes.h>

#include "base/number.h"
#include "base/text.h"
#include "logic/config/option_types.h"

#define IPV4_BITS 32
#define IPV6_BITS 128

static int prefixes_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        struct source_prefix prefix = {0};
        char *word = words->list[0], *slash = strchr(word, '/');
        (void)error;

        if (!slash)
                return -EINVAL;
        *slash = '\0';
        int r = number_parse(word, &prefix.ipv4);
        *slash = '/';
        if (r == 0)
                r = number_parse(slash + 1, &prefix.ipv6);
        if (r < 0)
                return r;
        if (prefix.ipv4 < 1 || prefix.ipv4 > IPV4_BITS || prefix.ipv6 < 1 || prefix.ipv6 > IPV6_BITS)
                return -ERANGE;
        *OPTION_FIELD(option, base, struct source_prefix) = prefix;
        return 0;
}

static int prefixes_print(const struct option *option, const void *base, struct text *text)
{
        const struct source_prefix *prefix = OPTION_FIELD_CONST(option, base, struct source_prefix);

        return text_appendf(text, "%" PRIu64 "/%" PRIu64, prefix->ipv4, prefix->ipv6);
}

static int prefixes_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "two prefix lengths such as 32/64, of IPv4 (1 to 32) and of IPv6 (1 to 128)");
}

static bool prefixes_equal(const struct option *option, const void *a, const void *b)
{
        const struct source_prefix *one = OPTION_FIELD_CONST(option, a, struct source_prefix);
        const struct source_prefix *other = OPTION_FIELD_CONST(option, b, struct source_prefix);

        return one->ipv4 == other->ipv4 && one->ipv6 == other->ipv6;
}

static void prefixes_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, struct source_prefix) = (struct source_prefix){0};
}

const struct option_operations option_prefixes = {.noun = "a pair of prefix lengths",
                                                  .parse = prefixes_parse,
                                                  .print = prefixes_print,
                                                  .expectation = prefixes_expectation,
                                                  .equal = prefixes_equal,
                                                  .clear = prefixes_clear};
