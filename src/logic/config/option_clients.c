/* The type of `allow` and `deny`: clients by network, address, user or group, and lists of such. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/access_rules.h"
#include "logic/config/option_types.h"
#include "logic/config/option_value.h"

/* Returns -EINVAL, or -ENOMEM. */
static int refuse(const struct option *option, const char *word, int reason, const struct access_rule *meant,
                  struct text *error)
{
        char network[NETWORK_TEXT_MAX];
        int r = option_quote_excerpt(error, word);

        if (r == 0 && reason == -ERANGE)
                r = text_append(error, ": the prefix is too long; expected at most /32, or /128 for IPv6");
        else if (r == 0 && reason == -EDOM) {
                network_format(&meant->network, network);
                r = text_appendf(error, ": bits beyond the prefix are set; expected %s, or the address alone", network);
        } else if (r == 0 && word[0] == '@')
                r = text_append(error, " does not name a list by an absolute path; expected @/path");
        else if (r == 0) {
                r = text_append(error, " names no clients (host names are not looked up); expected ");
                if (r == 0)
                        r = option_value_expectation(option, error);
        }
        return r < 0 ? r : -EINVAL;
}

static int clients_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        struct words *field = OPTION_FIELD(option, base, struct words), copy = {0};

        for (size_t i = 0; i < words->count; i++) {
                struct access_rule rule;
                int r = access_word_parse(words->list[i], &rule);
                if (r < 0)
                        return refuse(option, words->list[i], r, &rule, error);
        }
        int r = words_copy(words, &copy);
        if (r < 0)
                return r;
        words_clear(field);
        *field = copy;
        return 0;
}

static int clients_print(const struct option *option, const void *base, struct text *text)
{
        return words_join(text, OPTION_FIELD_CONST(option, base, struct words));
}

static int clients_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "ADDRESS, NETWORK/PREFIX, uid:USER, gid:GROUP, unix or @/path/of/list");
}

static bool clients_equal(const struct option *option, const void *a, const void *b)
{
        const struct words *one = OPTION_FIELD_CONST(option, a, struct words);
        const struct words *other = OPTION_FIELD_CONST(option, b, struct words);
        bool equal = one->count == other->count;

        for (size_t i = 0; i < one->count && equal; i++)
                equal = text_equal(one->list[i], other->list[i]);
        return equal;
}

static void clients_clear(const struct option *option, void *base)
{
        words_clear(OPTION_FIELD(option, base, struct words));
}

const struct option_operations option_clients = {.takes_list = true,
                                                 .noun = "a list of clients",
                                                 .parse = clients_parse,
                                                 .print = clients_print,
                                                 .expectation = clients_expectation,
                                                 .equal = clients_equal,
                                                 .clear = clients_clear};
