/* The types that are lists of words: commands, environments, listen addresses. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/advice.h"
#include "logic/config/option_types.h"
#include "logic/config/option_value.h"
#include "logic/config/variables.h"

/* Words: a program and its arguments. */

static int words_replace(const struct option *option, void *base, const struct words *words)
{
        struct words copy = {0}, *field = OPTION_FIELD(option, base, struct words);
        int r = words_copy(words, &copy);

        if (r < 0)
                return r;
        words_clear(field);
        *field = copy;
        return 0;
}

static int command_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        const char *program = words->list[0];
        int r = 0;

        if (program[0] == '\0')
                r = text_append(error, "the program's name is empty");
        else if (program[0] != '/' && strchr(program, '/')) {
                r = option_quote_excerpt(error, program);
                if (r == 0)
                        r = text_append(error, " is a relative path; expected an absolute path, or a name to be "
                                               "found in PATH");
        } else
                return words_replace(option, base, words);
        return r < 0 ? r : -EINVAL;
}

static int command_print(const struct option *option, const void *base, struct text *text)
{
        return words_join(text, OPTION_FIELD_CONST(option, base, struct words));
}

static int command_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "a program and its arguments");
}

static bool words_equal(const struct words *a, const struct words *b)
{
        if (a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (!text_equal(a->list[i], b->list[i]))
                        return false;
        return true;
}

static bool command_equal(const struct option *option, const void *a, const void *b)
{
        return words_equal(OPTION_FIELD_CONST(option, a, struct words), OPTION_FIELD_CONST(option, b, struct words));
}

static void command_clear(const struct option *option, void *base)
{
        words_clear(OPTION_FIELD(option, base, struct words));
}

const struct option_operations option_words = {.takes_list = true,
                                               .noun = "a command",
                                               .advise = advice_about_command,
                                               .parse = command_parse,
                                               .print = command_print,
                                               .expectation = command_expectation,
                                               .equal = command_equal,
                                               .clear = command_clear};

/* Environments: NAME=VALUE words. */

/* Length of the variable's name, or 0 if the word is no assignment. */
static size_t name_length(const char *word)
{
        size_t length = variables_name_length(word);

        return word[length] == '=' ? length : 0;
}

/* By their names, `=` included, so that one name is not the beginning of another. */
static int compare_names(const void *a, const void *b)
{
        const char *left = *(const char *const *)a, *right = *(const char *const *)b;
        size_t length_left = name_length(left) + 1, length_right = name_length(right) + 1;

        return strncmp(left, right, MIN_OF(length_left, length_right));
}

/* Refuse a name that is set twice. Environments can be large: they are sorted, not searched. */
static int refuse_twice(const struct words *words, struct text *error)
{
        _cleanup_(freep) const char **sorted = calloc(words->count + 1, sizeof(*sorted));

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < words->count; i++)
                sorted[i] = words->list[i];
        qsort(sorted, words->count, sizeof(*sorted), compare_names);
        for (size_t i = 1; i < words->count; i++)
                if (compare_names(&sorted[i - 1], &sorted[i]) == 0) {
                        int r = text_appendf(error, "%.*s is set twice", (int)name_length(sorted[i]), sorted[i]);
                        return r < 0 ? r : -EINVAL;
                }
        return 0;
}

/* The word may be a part of a value, which must not get into logs: it is described by its place. */
static int refuse_word(const struct words *words, size_t at, struct text *error)
{
        const char *before = at > 0 ? words->list[at - 1] : "";
        int length = at > 0 ? (int)name_length(before) : 0;
        int r = text_appendf(error, "word %zu%s%.*s%s is not NAME=VALUE (a value with blanks needs quotes)", at + 1,
                             at > 0 ? ", after that of " : "", length, before, at > 0 ? "," : "");

        return r < 0 ? r : -EINVAL;
}

static int environment_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        for (size_t i = 0; i < words->count; i++)
                if (name_length(words->list[i]) == 0)
                        return refuse_word(words, i, error);
        int r = refuse_twice(words, error);
        return r < 0 ? r : secret_words_set(OPTION_FIELD(option, base, struct secret_words), words);
}

static int environment_print(const struct option *option, const void *base, struct text *text)
{
        const struct words words = secret_words_view(OPTION_FIELD_CONST(option, base, struct secret_words));

        return words_join(text, &words);
}

static int environment_print_masked(const struct option *option, const void *base, struct text *text)
{
        const struct secret_words *field = OPTION_FIELD_CONST(option, base, struct secret_words);
        int r = 0;

        for (size_t i = 0; i < field->count && r == 0; i++)
                r = text_appendf(text, "%s%.*s=***", i > 0 ? " " : "", (int)name_length(field->list[i]),
                                 field->list[i]);
        return r;
}

static bool environment_equal(const struct option *option, const void *a, const void *b)
{
        const struct words words_a = secret_words_view(OPTION_FIELD_CONST(option, a, struct secret_words));
        const struct words words_b = secret_words_view(OPTION_FIELD_CONST(option, b, struct secret_words));

        return words_equal(&words_a, &words_b);
}

static void environment_clear(const struct option *option, void *base)
{
        secret_words_clear(OPTION_FIELD(option, base, struct secret_words));
}

static int environment_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "NAME=VALUE words");
}

const struct option_operations option_environment = {.takes_list = true,
                                                     .noun = "an environment",
                                                     .parse = environment_parse,
                                                     .print = environment_print,
                                                     .print_masked = environment_print_masked,
                                                     .expectation = environment_expectation,
                                                     .equal = environment_equal,
                                                     .clear = environment_clear};

/* Names of variables, and environment files: lists of words as a command is. */

static int names_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        for (size_t i = 0; i < words->count; i++) {
                const char *word = words->list[i];
                size_t length = variables_name_length(word);
                if (length > 0 && word[length] == '\0')
                        continue;
                if (length > 0 && word[length] == '=') /* the value may be a secret */
                        return text_appendf(error, "%.*s has a value; expected its name alone, or environment",
                                            (int)length, word) < 0
                                       ? -ENOMEM
                                       : -EINVAL;
                int r = option_quote_excerpt(error, word);
                if (r == 0)
                        r = text_append(error, " is not the name of a variable");
                return r < 0 ? r : -EINVAL;
        }
        return words_replace(option, base, words);
}

static int names_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "names of variables");
}

const struct option_operations option_variable_names = {.takes_list = true,
                                                        .noun = "a list of names",
                                                        .parse = names_parse,
                                                        .print = command_print,
                                                        .expectation = names_expectation,
                                                        .equal = command_equal,
                                                        .clear = command_clear};

static int files_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        for (size_t i = 0; i < words->count; i++) {
                const char *word = words->list[i];
                if (word[0] == '/' || (word[0] == '-' && word[1] == '/'))
                        continue;
                int r = option_quote_excerpt(error, word);
                if (r == 0)
                        r = text_append(error, " is not an absolute path; expected ");
                if (r == 0)
                        r = option_value_expectation(option, error);
                return r < 0 ? r : -EINVAL;
        }
        return words_replace(option, base, words);
}

static int files_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "absolute paths, with - in front of one that need not exist");
}

const struct option_operations option_files = {.takes_list = true,
                                               .noun = "a list of files",
                                               .parse = files_parse,
                                               .print = command_print,
                                               .expectation = files_expectation,
                                               .equal = command_equal,
                                               .clear = command_clear};

/* Listen addresses. */

static void listen_list_clear(struct listen_list *list)
{
        for (size_t i = 0; i < list->count; i++)
                free(list->items[i].text);
        free(list->items);
        *list = (struct listen_list){0};
}

static int listen_list_add(struct listen_list *list, const struct address *address, const char *text)
{
        char *name = strdup(text);
        struct listen_address *items = realloc(list->items, (list->count + 1) * sizeof(*items));
        if (items)
                list->items = items;
        if (!name || !items) {
                free(name);
                return -ENOMEM;
        }
        items[list->count++] = (struct listen_address){.address = *address, .text = name};
        return 0;
}

/* Returns -EINVAL, or -ENOMEM. */
static int listen_error(const struct option *option, const char *word, int reason, struct text *error)
{
        int r = reason == -EINVAL && !text_starts_with(word, LISTEN_SYSTEMD_PREFIX) ? advice_about_address(word, error)
                                                                                    : 0;
        if (r != 0)
                return r < 0 ? r : -EINVAL;
        r = option_quote_excerpt(error, word);

        if (r == 0 && text_starts_with(word, LISTEN_SYSTEMD_PREFIX))
                r = text_append(error, " is not systemd:NAME with the FileDescriptorName= of a socket unit: 1 to 255 "
                                       "printable ASCII characters other than \":\"");
        else if (r == 0 && reason == -ERANGE)
                r = text_append(error, ": the port is out of range; expected a port from 1 to 65535");
        else if (r == 0 && reason == -ENAMETOOLONG)
                r = text_append(error, ": the path is too long for a socket; at most 107 bytes fit");
        else if (r == 0 && reason == -ENODEV)
                r = text_append(error, ": there is no network interface of that name");
        else if (r == 0) {
                const char *quote = advice_find_smart_quote(word);
                r = quote ? text_appendf(error, " has %s, which is no quote here", quote) : 0;
                if (r < 0 || quote)
                        return r < 0 ? r : -EINVAL;
                r = text_append(error, " is not an address (host names are not looked up); expected ");
                if (r == 0)
                        r = option_value_expectation(option, error);
        }
        return r < 0 ? r : -EINVAL;
}

/* The names that FileDescriptorName= takes (systemd.socket(5)). */
static bool is_socket_name(const char *name)
{
        size_t length = strlen(name);

        for (size_t i = 0; i < length; i++)
                if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
                        return false;
        return length >= 1 && length <= 255;
}

/* 0, or -errno of address_parse(). */
static int listen_parse_word(struct listen_list *list, const char *word)
{
        const struct address unknown = {.any.sa_family = AF_UNSPEC};
        char text[ADDRESS_TEXT_MAX];
        struct address address;

        if (text_starts_with(word, LISTEN_SYSTEMD_PREFIX))
                return is_socket_name(word + strlen(LISTEN_SYSTEMD_PREFIX)) ? listen_list_add(list, &unknown, word)
                                                                            : -EINVAL;
        int r = address_parse(word, &address);
        if (r < 0)
                return r;
        address_format(&address, text, sizeof(text));
        return listen_list_add(list, &address, text);
}

static int listen_parse(const struct option *option, void *base, const struct words *words, struct text *error)
{
        _cleanup_(listen_list_clear) struct listen_list list = {0};
        struct listen_list *field = OPTION_FIELD(option, base, struct listen_list);

        for (size_t i = 0; i < words->count; i++) {
                int r = listen_parse_word(&list, words->list[i]);
                if (r < 0)
                        return r == -ENOMEM ? r : listen_error(option, words->list[i], r, error);
        }
        listen_list_clear(field);
        *field = list;
        list = (struct listen_list){0};
        return 0;
}

static int listen_print(const struct option *option, const void *base, struct text *text)
{
        const struct listen_list *list = OPTION_FIELD_CONST(option, base, struct listen_list);
        int r = 0;

        for (size_t i = 0; i < list->count && r == 0; i++) {
                if (i > 0)
                        r = text_append(text, " ");
                if (r == 0)
                        r = words_quote(text, list->items[i].text);
        }
        return r;
}

static int listen_expectation(const struct option *option, struct text *text)
{
        (void)option;
        return text_append(text, "ADDRESS:PORT, [IPV6-ADDRESS]:PORT, *:PORT, /path/of/socket, @abstract-name, "
                                 "udp:ADDRESS:PORT, unixgram:/path/of/socket or systemd:NAME");
}

static bool listen_equal(const struct option *option, const void *a, const void *b)
{
        const struct listen_list *list_a = OPTION_FIELD_CONST(option, a, struct listen_list);
        const struct listen_list *list_b = OPTION_FIELD_CONST(option, b, struct listen_list);

        if (list_a->count != list_b->count)
                return false;
        for (size_t i = 0; i < list_a->count; i++)
                if (!listen_address_equal(&list_a->items[i], &list_b->items[i]))
                        return false;
        return true;
}

static void listen_clear(const struct option *option, void *base)
{
        listen_list_clear(OPTION_FIELD(option, base, struct listen_list));
}

const struct option_operations option_listen = {.takes_list = true,
                                                .noun = "an address",
                                                .parse = listen_parse,
                                                .print = listen_print,
                                                .expectation = listen_expectation,
                                                .equal = listen_equal,
                                                .clear = listen_clear};
