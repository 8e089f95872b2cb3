#include "lib/line.h"

struct line line_begin(char *text, size_t size)
{
        text[0] = '\0';
        return (struct line){.text = text, .size = size};
}

void line_add_bytes(struct line *line, const char *bytes, size_t length)
{
        for (size_t i = 0; i < length && line->length + 1 < line->size; i++)
                line->text[line->length++] = bytes[i];
        line->text[line->length] = '\0';
}

void line_add(struct line *line, const char *string)
{
        for (; string && *string != '\0'; string++)
                line_add_bytes(line, string, 1);
}

static void add_digits(struct line *line, uint64_t number, unsigned base)
{
        char digits[20];
        size_t at = sizeof(digits);

        do
                digits[--at] = "0123456789abcdef"[number % base];
        while ((number /= base) > 0);
        line_add_bytes(line, digits + at, sizeof(digits) - at);
}

void line_add_number(struct line *line, uint64_t number)
{
        add_digits(line, number, 10);
}

void line_add_hex(struct line *line, uint64_t number)
{
        add_digits(line, number, 16);
}
