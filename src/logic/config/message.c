#include "logic/config/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"

/* What follows a backslash, besides x and two digits. The quotes are printed by their numbers. */
static const struct {
        char letter, byte;
} escapes[] = {{'r', '\r'}, {'n', '\n'}, {'t', '\t'}, {'\\', '\\'}, {'a', '\a'}, {'b', '\b'},
               {'f', '\f'}, {'v', '\v'}, {'e', 0x1b}, {'"', '"'},   {'\'', '\''}};

static int refuse(struct text *error, const char *text)
{
        return text_append(error, text) < 0 ? -ENOMEM : -EINVAL;
}

/* A hexadecimal digit, or -1. */
static int digit_of(char c)
{
        static const char digits[] = "0123456789abcdef";
        const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

        return at ? (int)(at - digits) : -1;
}

static int refuse_escape(const char *at, size_t left, struct text *error)
{
        int r = text_append(error, "\"\\");

        if (r == 0)
                r = text_append_excerpt(error, at, MIN_OF(left, (size_t)(*at == 'x' ? 3 : 1)));
        return r < 0 ? r
                     : refuse(error, "\" is no escape; expected \\r, \\n, \\t, \\\\, \\\", \\a, \\b, \\e, \\f, \\v or "
                                     "\\xHH with two hexadecimal digits");
}

/* Read the escape at *at, behind its backslash, and move *at past it. */
static int read_escape(const char **at, const char *end, char *ret, struct text *error)
{
        const char *letter = *at;
        int high = end - letter >= 3 ? digit_of(letter[1]) : -1, low = end - letter >= 3 ? digit_of(letter[2]) : -1;

        for (size_t i = 0; i < ELEMENTS(escapes) && letter < end; i++)
                if (*letter == escapes[i].letter) {
                        *ret = escapes[i].byte;
                        *at = letter + 1;
                        return 0;
                }
        if (letter == end || *letter != 'x' || high < 0 || low < 0)
                return refuse_escape(letter, (size_t)(end - letter), error);
        *ret = (char)(high * 16 + low);
        *at = letter + 3;
        return 0;
}

static int read_text(const char *at, const char *end, struct message *ret, struct text *error)
{
        _cleanup_(text_clear) struct text bytes = {0};
        int r = 0;

        while (at < end && r == 0) {
                char byte = *at++;
                if (byte == '\\')
                        r = read_escape(&at, end, &byte, error);
                if (r == 0)
                        r = text_append_bytes(&bytes, &byte, 1);
        }
        if (r == 0 && bytes.length > MESSAGE_MAX) {
                r = text_appendf(error, "it has %zu bytes; expected at most %d", bytes.length, MESSAGE_MAX);
                return r < 0 ? r : -EINVAL;
        }
        return r < 0 ? r : message_set_bytes(ret, text_string(&bytes), bytes.length);
}

static int read_path(const char *at, const char *end, struct message *ret, struct text *error)
{
        if (at[1] != '/')
                return refuse(error, "an @ at the beginning names a file by an absolute path; expected @/path, or "
                                     "\\x40 for an @");
        ret->path = strndup(at + 1, (size_t)(end - at - 1));
        return ret->path ? 0 : -ENOMEM;
}

/* Take quotes off. The end of a text in " is the next one without a backslash; nothing escapes the end of one in '. */
static int unquote(const char **start, const char **end, struct text *error)
{
        const char quote = **start, *at = *start + 1;

        if (quote != '"' && quote != '\'')
                return 0;
        while (*at != '\0' && *at != quote)
                at += quote == '"' && *at == '\\' && at[1] != '\0' ? 2 : 1;
        if (*at == '\0')
                return refuse(error, "an unclosed quote");
        if (at + 1 != *end)
                return refuse(error, "something follows the quote that closes the text; expected one text in quotes, "
                                     "or none at all around it");
        *start += 1;
        *end = at;
        return 0;
}

int message_parse(const char *string, struct message *ret, struct text *error)
{
        _cleanup_(message_clear) struct message message = {0};
        const char *end = string + strlen(string);
        int r = unquote(&string, &end, error);

        if (r == 0)
                r = string < end && *string == '@' ? read_path(string, end, &message, error)
                                                   : read_text(string, end, &message, error);
        if (r < 0)
                return r;
        message_clear(ret);
        *ret = message;
        message = (struct message){0};
        return 0;
}

/* How many bytes from there can be shown as they are: a character of ASCII but for quotes and backslashes, or one that
 * is longer. */
static size_t plain_length(const char *at, size_t left, bool is_first)
{
        unsigned char lead = (unsigned char)*at;
        size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

        if (*at == '\\' || *at == '\'' || *at == '"' || *at == '\t' || (is_first && *at == '@'))
                return 0;
        return length <= left && text_printable_length(at, length) == length ? length : 0;
}

static int print_escaped(char byte, struct text *text)
{
        for (size_t i = 0; i < ELEMENTS(escapes); i++)
                if (byte == escapes[i].byte && byte != '"' && byte != '\'')
                        return text_appendf(text, "\\%c", escapes[i].letter);
        return text_appendf(text, "\\x%02x", (unsigned char)byte);
}

int message_print_bytes(const struct message *message, struct text *text)
{
        _cleanup_(text_clear) struct text escaped = {0};
        int r = 0;

        for (size_t i = 0; i < message->length && r == 0;) {
                size_t plain = plain_length(message->bytes + i, message->length - i, i == 0);
                r = plain > 0 ? text_append_bytes(&escaped, message->bytes + i, plain)
                              : print_escaped(message->bytes[i], &escaped);
                i += plain > 0 ? plain : 1;
        }
        return r < 0 ? r : words_quote(text, text_string(&escaped));
}

int message_print(const struct message *message, struct text *text)
{
        _cleanup_(text_clear) struct text named = {0};

        if (!message->path)
                return message->length > 0 ? message_print_bytes(message, text) : 0;
        int r = text_appendf(&named, "@%s", message->path);
        return r < 0 ? r : words_quote(text, text_string(&named));
}

int message_take_bytes(struct message *message, const char *string)
{
        _cleanup_(message_clear) struct message read = {0};
        _cleanup_(text_clear) struct text error = {0};

        int r = message_parse(string, &read, &error);
        if (r == -EINVAL || (r == 0 && !read.bytes))
                return 0;
        return r < 0 ? r : message_set_bytes(message, read.bytes, read.length);
}

int message_set_bytes(struct message *message, const char *bytes, size_t length)
{
        char *copy = malloc(length + 1);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, bytes, length);
        copy[length] = '\0';
        free(message->bytes);
        message->bytes = copy;
        message->length = length;
        return 0;
}

bool message_equal(const struct message *a, const struct message *b)
{
        bool same_place = a->path && b->path ? text_equal(a->path, b->path) : a->path == b->path;

        return same_place && a->length == b->length && (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

void message_clear(struct message *message)
{
        free(message->path);
        free(message->bytes);
        *message = (struct message){0};
}
