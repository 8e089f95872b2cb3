/* The types of one plain value: yes/no, numbers with and without units, one of several words, paths. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/option_types.h"
#include "logic/config/option_value.h"

/* Yes or no: systemd's words, of which yes and no are the ones printed. */

static int bool_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        static const struct option_choice choices[] = {{"yes", 1}, {"no", 0},  {"true", 1}, {"false", 0},
                                                       {"on", 1},  {"off", 0}, {"1", 1},    {"0", 0}};
        (void)error;

        for (size_t i = 0; i < ELEMENTS(choices); i++)
                if (text_equal(words->list[0], choices[i].word)) {
                        *OPTION_FIELD(option, base, bool) = choices[i].value;
                        return 0;
                }
        return -EINVAL;
}

static int bool_print(const struct option *option, const void *base, struct text *text)
{
        return text_append(text, *OPTION_FIELD_CONST(option, base, bool) ? "yes" : "no");
}

static int bool_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "yes or no");
}

static bool bool_equal(const struct option *option, const void *a, const void *b)
{
        return *OPTION_FIELD_CONST(option, a, bool) == *OPTION_FIELD_CONST(option, b, bool);
}

static void bool_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, bool) = false;
}

const struct option_operations option_bool = {.noun = "yes or no",
                                              .parse = bool_parse,
                                              .print = bool_print,
                                              .expectation = bool_expectation,
                                              .equal = bool_equal,
                                              .clear = bool_clear};

/* Numbers: a uint64_t field, and a pair of functions that know the unit. */

static int format_plain(struct text *text, uint64_t value)
{
        return text_appendf(text, "%" PRIu64, value);
}

static int format_percent(struct text *text, uint64_t value)
{
        return text_appendf(text, "%" PRIu64 "%%", value);
}

static const struct number_kind {
        int (*parse)(const char *string, uint64_t *ret);
        int (*format)(struct text *text, uint64_t value);
        const char *noun, *examples;
} number_kinds[] = {
        [OPTION_NUMBER] = {number_parse, format_plain, "a whole number", ""},
        [OPTION_DURATION] = {number_parse_duration_ms, number_format_duration_ms, "a duration",
                             " (such as 500ms, 30s, 5m, 1h)"},
        [OPTION_SIZE] = {number_parse_size_bytes, number_format_size_bytes, "a size", " (such as 512K, 64M)"},
        [OPTION_PERCENT] = {number_parse_percent, format_percent, "a percentage", ""},
};

static int unsigned_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        uint64_t value;
        int r = number_kinds[option->type].parse(words->list[0], &value);
        (void)error;

        if (r < 0)
                return r;
        if (value < option->min || value > option->max)
                return -ERANGE;
        *OPTION_FIELD(option, base, uint64_t) = value;
        return 0;
}

static int unsigned_print(const struct option *option, const void *base, struct text *text)
{
        return number_kinds[option->type].format(text, *OPTION_FIELD_CONST(option, base, uint64_t));
}

static int unsigned_expectation(const struct option *option, struct text *text)
{
        const struct number_kind *kind = &number_kinds[option->type];
        int r = text_appendf(text, "%s from ", kind->noun);

        if (r == 0)
                r = kind->format(text, option->min);
        if (r == 0)
                r = text_append(text, " to ");
        if (r == 0)
                r = kind->format(text, option->max);
        return r < 0 ? r : text_append(text, kind->examples);
}

static bool unsigned_equal(const struct option *option, const void *a, const void *b)
{
        return *OPTION_FIELD_CONST(option, a, uint64_t) == *OPTION_FIELD_CONST(option, b, uint64_t);
}

static void unsigned_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, uint64_t) = 0;
}

#define UNSIGNED_OPERATIONS(noun_)                                                                                     \
        {                                                                                                              \
                .noun = (noun_), .parse = unsigned_parse, .print = unsigned_print,                                     \
                .expectation = unsigned_expectation, .equal = unsigned_equal, .clear = unsigned_clear                  \
        }

const struct option_operations option_number = UNSIGNED_OPERATIONS("a number");
const struct option_operations option_duration = UNSIGNED_OPERATIONS("a duration");
const struct option_operations option_size = UNSIGNED_OPERATIONS("a size");
const struct option_operations option_percent = UNSIGNED_OPERATIONS("a percentage");

/* Numbers that may be negative, with an optional "is set" beside them. */

static bool *signed_flag(const struct option *option, void *base)
{
        return option->set_offset > 0 ? (bool *)(void *)((char *)base + option->set_offset) : NULL;
}

static bool signed_is_set(const struct option *option, const void *base)
{
        return option->set_offset == 0 || *(const bool *)(const void *)((const char *)base + option->set_offset);
}

static int signed_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        const char *string = words->list[0];
        bool negative = string[0] == '-';
        uint64_t amount;
        int r = number_parse(string + negative, &amount);
        (void)error;

        if (r < 0)
                return r;
        if (amount > INT64_MAX)
                return -ERANGE;
        int64_t value = negative ? -(int64_t)amount : (int64_t)amount;
        if (value < (int64_t)option->min || value > (int64_t)option->max)
                return -ERANGE;
        *OPTION_FIELD(option, base, int64_t) = value;
        if (signed_flag(option, base))
                *signed_flag(option, base) = true;
        return 0;
}

static int signed_print(const struct option *option, const void *base, struct text *text)
{
        if (!signed_is_set(option, base))
                return 0;
        return text_appendf(text, "%" PRId64, *OPTION_FIELD_CONST(option, base, int64_t));
}

static int signed_expectation(const struct option *option, struct text *text)
{
        return text_appendf(text, "a whole number from %" PRId64 " to %" PRId64, (int64_t)option->min,
                            (int64_t)option->max);
}

static bool signed_equal(const struct option *option, const void *a, const void *b)
{
        bool set = signed_is_set(option, a);

        return set == signed_is_set(option, b) &&
               (!set || *OPTION_FIELD_CONST(option, a, int64_t) == *OPTION_FIELD_CONST(option, b, int64_t));
}

static void signed_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, int64_t) = 0;
        if (signed_flag(option, base))
                *signed_flag(option, base) = false;
}

const struct option_operations option_signed = {.noun = "a number",
                                                .parse = signed_parse,
                                                .print = signed_print,
                                                .expectation = signed_expectation,
                                                .equal = signed_equal,
                                                .clear = signed_clear};

/* File modes: octal, with or without the leading zero. */

static int mode_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        mode_t mode;
        int r = number_parse_octal(words->list[0], &mode);
        (void)error;

        if (r < 0)
                return r;
        if (mode < option->min || mode > option->max)
                return -ERANGE;
        *OPTION_FIELD(option, base, mode_t) = mode;
        return 0;
}

static int mode_print(const struct option *option, const void *base, struct text *text)
{
        return text_appendf(text, "%04o", (unsigned)*OPTION_FIELD_CONST(option, base, mode_t));
}

static int mode_expectation(const struct option *option, struct text *text)
{
        return text_appendf(text, "an octal number from %04o to %04o", (unsigned)option->min, (unsigned)option->max);
}

static bool mode_equal(const struct option *option, const void *a, const void *b)
{
        return *OPTION_FIELD_CONST(option, a, mode_t) == *OPTION_FIELD_CONST(option, b, mode_t);
}

static void mode_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, mode_t) = 0;
}

const struct option_operations option_mode = {.noun = "an octal number",
                                              .parse = mode_parse,
                                              .print = mode_print,
                                              .expectation = mode_expectation,
                                              .equal = mode_equal,
                                              .clear = mode_clear};

/* One of several words. */

static int enum_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        for (const struct option_choice *choice = option->choices; choice->word; choice++) {
                if (!text_equal(words->list[0], choice->word))
                        continue;
                if (choice->not_built) {
                        int r = text_appendf(error, "\"%s\" is not available yet; expected ", choice->word);
                        if (r == 0)
                                r = option_value_expectation(option, error);
                        return r < 0 ? r : -EINVAL;
                }
                *OPTION_FIELD(option, base, int) = choice->value;
                return 0;
        }
        return -EINVAL;
}

static int enum_print(const struct option *option, const void *base, struct text *text)
{
        for (const struct option_choice *choice = option->choices; choice->word; choice++)
                if (choice->value == *OPTION_FIELD_CONST(option, base, int))
                        return text_append(text, choice->word);
        return 0;
}

static size_t count_built(const struct option_choice *choice)
{
        size_t count = 0;

        for (; choice && choice->word; choice++)
                count += !choice->not_built;
        return count;
}

static int enum_expectation(const struct option *option, struct text *text)
{
        const char *separator = "";
        int r = 0;

        for (const struct option_choice *choice = option->choices; choice && choice->word && r == 0; choice++) {
                if (choice->not_built)
                        continue;
                r = text_appendf(text, "%s%s", separator, choice->word);
                separator = count_built(choice + 1) == 1 ? " or " : ", ";
        }
        return r;
}

static bool enum_equal(const struct option *option, const void *a, const void *b)
{
        return *OPTION_FIELD_CONST(option, a, int) == *OPTION_FIELD_CONST(option, b, int);
}

static void enum_clear(const struct option *option, void *base)
{
        *OPTION_FIELD(option, base, int) = 0;
}

const struct option_operations option_enum = {.noun = "a known word",
                                              .parse = enum_parse,
                                              .print = enum_print,
                                              .expectation = enum_expectation,
                                              .equal = enum_equal,
                                              .clear = enum_clear};

/* Strings: absolute paths, and names. */

static int string_set(char **field, const char *value)
{
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int path_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        (void)error;
        return words->list[0][0] == '/' ? string_set(OPTION_FIELD(option, base, char *), words->list[0]) : -EINVAL;
}

static int string_print(const struct option *option, const void *base, struct text *text)
{
        const char *string = *OPTION_FIELD_CONST(option, base, char *);

        return string ? words_quote(text, string) : 0;
}

static int path_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "an absolute path");
}

static bool string_equal(const struct option *option, const void *a, const void *b)
{
        const char *left = *OPTION_FIELD_CONST(option, a, char *), *right = *OPTION_FIELD_CONST(option, b, char *);

        return left && right ? text_equal(left, right) : left == right;
}

static void string_clear(const struct option *option, void *base)
{
        freep(OPTION_FIELD(option, base, char *));
}

const struct option_operations option_path = {.noun = "an absolute path",
                                              .parse = path_parse,
                                              .print = string_print,
                                              .expectation = path_expectation,
                                              .equal = string_equal,
                                              .clear = string_clear};

static int name_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        (void)error;
        return words->list[0][0] != '\0' ? string_set(OPTION_FIELD(option, base, char *), words->list[0]) : -EINVAL;
}

static int name_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "one word");
}

const struct option_operations option_name = {.noun = "a name",
                                              .parse = name_parse,
                                              .print = string_print,
                                              .expectation = name_expectation,
                                              .equal = string_equal,
                                              .clear = string_clear};
