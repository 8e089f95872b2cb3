/* Where the log goes: one of several words, or `file:PATH`. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/option_types.h"

#define FILE_PREFIX "file:"

static const struct option_choice *find_word(const struct option *option, const char *word)
{
        for (const struct option_choice *choice = option->choices; choice->word; choice++)
                if (text_equal(word, choice->word))
                        return choice;
        return NULL;
}

/* What is wrong with the path of a file; NULL: nothing. */
static const char *find_fault(const char *path)
{
        if (path[0] != '/')
                return "the path of the file is not absolute";
        if (path[strlen(path) - 1] == '/')
                return "a file is expected, and this is a directory";
        return strlen(path) >= PATH_MAX ? "the path is too long" : NULL;
}

static int log_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        struct log_target *field = OPTION_FIELD(option, base, struct log_target);
        const char *word = words->list[0], *path = NULL;
        struct log_target target = {.kind = LOG_TARGET_FILE};

        if (text_starts_with(word, FILE_PREFIX)) {
                path = word + strlen(FILE_PREFIX);
                const char *fault = find_fault(path);
                if (fault) {
                        int r = text_appendf(error, "%s; expected ", fault);
                        if (r == 0)
                                r = option_log_target.expectation(option, error);
                        return r < 0 ? r : -EINVAL;
                }
                target.path = strdup(path);
                if (!target.path)
                        return -ENOMEM;
        } else {
                const struct option_choice *choice = find_word(option, word);
                if (!choice)
                        return -EINVAL;
                target.kind = choice->value;
        }
        free(field->path);
        *field = target;
        return 0;
}

static int log_print(const struct option *option, const void *base, struct text *text)
{
        const struct log_target *target = OPTION_FIELD_CONST(option, base, struct log_target);
        _cleanup_(text_clear) struct text word = {0};

        for (const struct option_choice *choice = option->choices; choice->word; choice++)
                if (choice->value == target->kind)
                        return text_append(text, choice->word);
        if (!target->path)
                return 0;
        int r = text_appendf(&word, FILE_PREFIX "%s", target->path);
        return r < 0 ? r : words_quote(text, text_string(&word));
}

static int log_expectation(const struct option *option, struct text *text)
{
        int r = 0;

        for (const struct option_choice *choice = option->choices; choice->word && r == 0; choice++)
                r = text_appendf(text, "%s%s", choice->word, choice[1].word ? ", " : "");
        return r < 0 ? r : text_append(text, " or " FILE_PREFIX "/path/of/file");
}

static bool log_equal(const struct option *option, const void *a, const void *b)
{
        return log_target_equal(OPTION_FIELD_CONST(option, a, struct log_target),
                                OPTION_FIELD_CONST(option, b, struct log_target));
}

static void log_clear(const struct option *option, void *base)
{
        struct log_target *target = OPTION_FIELD(option, base, struct log_target);

        free(target->path);
        *target = (struct log_target){0};
}

const struct option_operations option_log_target = {.noun = "a known target",
                                                    .parse = log_parse,
                                                    .print = log_print,
                                                    .expectation = log_expectation,
                                                    .equal = log_equal,
                                                    .clear = log_clear};
