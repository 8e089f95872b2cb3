#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/secret.h"

#define EXCERPT_MAX 80

/* Length of the UTF-8 sequence at `at`, of which `left` bytes are there; 0: not a valid, printable character. */
static size_t character_length(const unsigned char *at, size_t left)
{
        static const unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};

        if (at[0] < 0x80)
                return (at[0] >= 0x20 && at[0] != 0x7f) || at[0] == '\t';
        size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
        if (at[0] < 0xc2 || at[0] > 0xf4 || length > left)
                return 0;
        unsigned code = at[0] & (0xffU >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if ((at[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (at[i] & 0x3fU);
        }
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        bool control = code < 0xa0; /* U+0080 to U+009F: the second set of control characters */
        return code < smallest[length] || code > 0x10ffff || surrogate || control ? 0 : length;
}

size_t text_printable_length(const char *bytes, size_t length)
{
        size_t at = 0, step;

        while (at < length && (step = character_length((const unsigned char *)bytes + at, length - at)) > 0)
                at += step;
        return at;
}

/* Make room for `more` bytes and the terminating NUL. */
static int reserve(struct text *text, size_t more)
{
        size_t wanted;

        if (__builtin_add_overflow(text->length, more, &wanted) || __builtin_add_overflow(wanted, 1, &wanted))
                return -ENOMEM;
        if (wanted <= text->capacity)
                return 0;

        size_t capacity = text->capacity ? text->capacity : 64;
        while (capacity < wanted)
                if (__builtin_mul_overflow(capacity, 2, &capacity))
                        return -ENOMEM;
        char *bytes = wiped_realloc(text->bytes, capacity);
        if (!bytes)
                return -ENOMEM;
        text->bytes = bytes;
        text->capacity = capacity;
        return 0;
}

int text_append_bytes(struct text *text, const char *bytes, size_t length)
{
        int r = reserve(text, length);
        if (r < 0)
                return r;
        if (length > 0)
                memcpy(text->bytes + text->length, bytes, length);
        text->length += length;
        text->bytes[text->length] = '\0';
        return 0;
}

int text_append(struct text *text, const char *string)
{
        return text_append_bytes(text, string, strlen(string));
}

int text_append_number(struct text *text, uint64_t number)
{
        char digits[20];
        size_t at = sizeof(digits);

        do
                digits[--at] = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        return text_append_bytes(text, digits + at, sizeof(digits) - at);
}

int text_appendv(struct text *text, const char *format, va_list arguments)
{
        va_list measure;

        va_copy(measure, arguments);
        int length = vsnprintf(NULL, 0, format, measure);
        va_end(measure);
        if (length < 0)
                return -ENOMEM;
        int r = reserve(text, (size_t)length);
        if (r < 0)
                return r;
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
        text->length += (size_t)length;
        return 0;
}

int text_appendf(struct text *text, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(text, format, arguments);
        va_end(arguments);
        return r;
}

int text_append_excerpt(struct text *text, const char *bytes, size_t length)
{
        size_t shown = MIN_OF(length, (size_t)EXCERPT_MAX), before = text->length;

        while (shown < length && shown > 0 && ((unsigned char)bytes[shown] & 0xc0) == 0x80)
                shown--; /* not in the middle of a character */
        int r = text_append_bytes(text, bytes, shown);
        if (r == 0 && shown < length)
                r = text_append(text, "…");
        if (r < 0)
                text_cut(text, before);
        return r;
}

void text_cut(struct text *text, size_t length)
{
        text->length = length;
        if (text->bytes)
                text->bytes[length] = '\0';
}

void text_truncate(struct text *text)
{
        text_cut(text, 0);
}

char *text_take(struct text *text)
{
        char *bytes = text->bytes ? text->bytes : strdup("");
        *text = (struct text){0};
        return bytes;
}

void text_clear(struct text *text)
{
        wiped_free(text->bytes);
        *text = (struct text){0};
}
