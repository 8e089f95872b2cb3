/* The type of `full_response` and `banner`: a text as clients get it. */
#include "base/text.h"
#include "logic/config/message.h"
#include "logic/config/option_types.h"

static int message_parse_option(const struct option *option, void *base, const char *string, struct text *error)
{
        return message_parse(string, OPTION_FIELD(option, base, struct message), error);
}

static int message_print_option(const struct option *option, const void *base, struct text *text)
{
        return message_print(OPTION_FIELD_CONST(option, base, struct message), text);
}

static int message_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_appendf(text, "a text of at most %d bytes, with \\r, \\n, \\t, \\\\ and \\xHH, or @/path of one",
                            MESSAGE_MAX);
}

static bool message_equal_option(const struct option *option, const void *a, const void *b)
{
        return message_equal(OPTION_FIELD_CONST(option, a, struct message),
                             OPTION_FIELD_CONST(option, b, struct message));
}

static void message_clear_option(const struct option *option, void *base)
{
        message_clear(OPTION_FIELD(option, base, struct message));
}

const struct option_operations option_message = {.parse_text = message_parse_option,
                                                 .noun = "a text",
                                                 .print = message_print_option,
                                                 .expectation = message_expectation,
                                                 .equal = message_equal_option,
                                                 .clear = message_clear_option};
