#include "logic/import/systemd_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"

#define RUNTIME_DIRECTORY "/run"
#define BLANKS " \t\n\r"

int systemd_value_address(const char *value, bool datagrams, struct text *address)
{
        size_t digits = strspn(value, "0123456789");

        if (strncmp(value, "%t/", 3) == 0)
                return text_appendf(address, "%s%s%s", datagrams ? "unixgram:" : "", RUNTIME_DIRECTORY, value + 2);
        if (strchr(value, '%') && value[0] != '[')
                return -EINVAL;
        if (value[0] == '/' || value[0] == '@')
                return text_appendf(address, "%s%s", datagrams ? "unixgram:" : "", value);
        if (digits > 0 && value[digits] == '\0')
                return text_appendf(address, "%s*:%s", datagrams ? "udp:" : "", value);
        if (!strchr(value, ':') || (isalpha((unsigned char)value[0]) && value[0] != '['))
                return -EINVAL;
        return text_appendf(address, "%s%s", datagrams ? "udp:" : "", value);
}

/* The value of a variable, or NULL. */
static const char *find(const struct words *environment, const char *name, size_t length)
{
        const char *value = NULL;

        for (size_t i = 0; i < environment->count; i++)
                if (strncmp(environment->list[i], name, length) == 0 && environment->list[i][length] == '=')
                        value = environment->list[i] + length + 1;
        return value;
}

static size_t name_length(const char *name)
{
        size_t length = 0;

        while (isalnum((unsigned char)name[length]) || name[length] == '_')
                length++;
        return length;
}

static int note_missing(struct text *missing, const char *name, size_t length)
{
        return text_appendf(missing, "%s%.*s", missing->length > 0 ? " " : "", (int)length, name);
}

/* One word with its ${VARIABLES} and specifiers. 0, -EINVAL or -ENOMEM. */
static int expand(const char *word, const struct words *environment, struct text *text, struct text *missing,
                  struct text *error)
{
        int r = 0;

        while (*word != '\0' && r == 0) {
                size_t length = environment && word[0] == '$' && word[1] == '{' ? name_length(word + 2) : 0;
                if (length > 0 && word[2 + length] == '}') {
                        const char *value = find(environment, word + 2, length);
                        r = value ? text_append(text, value) : note_missing(missing, word + 2, length);
                        word += length + 3;
                } else if (word[0] == '%' && word[1] == 't') {
                        r = text_append(text, RUNTIME_DIRECTORY);
                        word += 2;
                } else if (word[0] == '%' && word[1] != '%') {
                        return text_appendf(error, "%%%c stands for something that only systemd knows", word[1]) < 0
                                       ? -ENOMEM
                                       : -EINVAL;
                } else {
                        bool is_double = (word[0] == '%' || (environment && word[0] == '$')) && word[1] == word[0];
                        r = text_append_bytes(text, word, 1);
                        word += is_double ? 2 : 1;
                }
        }
        return r;
}

/* One escape, `\x20`, `\040`, `\n` or `\s`, a blank; an unknown one stays as it is. Returns what is behind it. */
static const char *unescape(const char *at, char *ret, size_t *ret_length)
{
        static const char letters[] = "abfnrtvs\\\"'", meant[] = "\a\b\f\n\r\t\v \\\"'";
        const char *letter = at[1] != '\0' ? strchr(letters, at[1]) : NULL;
        unsigned base = at[1] == 'x' ? 16 : 8, value = 0;
        const char *digits = at + (base == 16 ? 2 : 1);
        size_t wanted = base == 16 ? 2 : 3, count = strspn(digits, base == 16 ? "0123456789abcdefABCDEF" : "01234567");

        *ret_length = 1;
        if (letter) {
                *ret = meant[letter - letters];
                return at + 2;
        }
        for (size_t i = 0; i < wanted && count >= wanted; i++) {
                unsigned digit = isdigit((unsigned char)digits[i]) ? (unsigned)(digits[i] - '0')
                                                                   : (unsigned)(tolower(digits[i]) - 'a') + 10;
                value = value * base + digit;
        }
        if (count >= wanted && value > 0 && value < 256) {
                *ret = (char)value;
                return digits + wanted;
        }
        *ret = *at;
        return at + 1;
}

/* Split at blanks, without expanding anything. 0, -EINVAL (an unclosed quote) or -ENOMEM. */
static int split(const char *value, struct words *words)
{
        int r = 0;

        for (value += strspn(value, BLANKS); *value != '\0' && r == 0; value += strspn(value, BLANKS)) {
                _cleanup_(text_clear) struct text word = {0};
                char quote = '\0';
                while (*value != '\0' && (quote != '\0' || !strchr(BLANKS, *value)) && r == 0) {
                        char byte = *value;
                        size_t length = 0;
                        if (byte == '\\')
                                value = unescape(value, &byte, &length);
                        else if (quote != '\0' ? byte == quote : byte == '"' || byte == '\'') {
                                quote = quote != '\0' ? '\0' : byte;
                                value++;
                        } else {
                                length = 1;
                                value++;
                        }
                        r = text_append_bytes(&word, &byte, length);
                }
                if (quote != '\0')
                        return -EINVAL;
                if (r == 0)
                        r = words_add(words, text_string(&word));
        }
        return r;
}

int systemd_value_words(const char *value, struct words *words, struct text *error)
{
        _cleanup_(words_clear) struct words raw = {0};
        int r = split(value, &raw);

        if (r == -EINVAL)
                return text_append(error, "an unclosed quote") < 0 ? -ENOMEM : -EINVAL;
        for (size_t i = 0; i < raw.count && r == 0; i++) {
                _cleanup_(text_clear) struct text word = {0};
                r = expand(raw.list[i], NULL, &word, NULL, error);
                if (r == 0)
                        r = words_add(words, text_string(&word));
        }
        return r;
}

/* A word that is `$VARIABLE` becomes as many words as its value has. */
static int add_split(const char *word, const struct words *environment, struct words *command, struct text *missing)
{
        const char *value = find(environment, word + 1, strlen(word + 1));
        _cleanup_(words_clear) struct words words = {0};

        if (!value)
                return note_missing(missing, word + 1, strlen(word + 1));
        int r = words_split(value, &words);
        for (size_t i = 0; i < words.count && r == 0; i++)
                r = words_add(command, words.list[i]);
        return r;
}

int systemd_value_command(const char *value, const struct words *environment, struct words *command,
                          struct text *missing, struct text *error)
{
        _cleanup_(words_clear) struct words words = {0};
        size_t prefix = strspn(value, "-@:+!|");
        bool is_named = memchr(value, '@', prefix) != NULL;

        if (memchr(value, ':', prefix))
                environment = NULL; /* variables stay as they are written */
        int r = split(value + prefix, &words);
        if (r == -EINVAL || (r == 0 && words.count == 0))
                return text_append(error, "no command, or an unclosed quote") < 0 ? -ENOMEM : -EINVAL;
        for (size_t i = 0; i < words.count && r == 0; i++) {
                _cleanup_(text_clear) struct text word = {0};
                const char *at = words.list[i];
                if (text_equal(at, ";"))
                        return text_append(error, "several commands") < 0 ? -ENOMEM : -EINVAL;
                if (environment && at[0] == '$' && name_length(at + 1) > 0 && at[1 + name_length(at + 1)] == '\0') {
                        r = add_split(at, environment, command, missing);
                        continue;
                }
                r = expand(at, environment, &word, missing, error);
                if (r == 0)
                        r = words_add(command, text_string(&word));
                if (r == 0 && i == 0 && !is_named) /* the program is its own name */
                        r = words_add(command, text_string(&word));
        }
        if (r == 0 && command->count == 0)
                return text_append(error, "no command") < 0 ? -ENOMEM : -EINVAL;
        return r;
}
