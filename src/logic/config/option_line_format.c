/* The format of the line of connection_log: a string that is checked. */
#include "base/text.h"
#include "logic/config/connection_line.h"
#include "logic/config/option_types.h"

static int line_format_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        int r = connection_line_check(words->list[0], error);

        return r < 0 ? r : option_name.parse(option, base, words, error);
}

static int line_format_print(const struct option *option, const void *base, struct text *text)
{
        return option_name.print(option, base, text);
}

static int line_format_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "a text with fields such as {client}");
}

static bool line_format_equal(const struct option *option, const void *a, const void *b)
{
        return option_name.equal(option, a, b);
}

static void line_format_clear(const struct option *option, void *base)
{
        option_name.clear(option, base);
}

const struct option_operations option_line_format = {.noun = "a format",
                                                     .parse = line_format_parse,
                                                     .print = line_format_print,
                                                     .expectation = line_format_expectation,
                                                     .equal = line_format_equal,
                                                     .clear = line_format_clear};
