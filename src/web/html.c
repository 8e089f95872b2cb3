#include "web/html.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "base/figures.h"

void html_put(struct html *html, const char *markup)
{
        if (html->r == 0)
                html->r = text_append(html->text, markup);
}

void html_format(struct html *html, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        if (html->r == 0)
                html->r = text_appendv(html->text, format, arguments);
        va_end(arguments);
}

void html_text(struct html *html, const char *string)
{
        while (*string != '\0') {
                size_t plain = strcspn(string, "&<>\"'");
                if (html->r == 0)
                        html->r = text_append_bytes(html->text, string, plain);
                string += plain;
                if (*string != '\0')
                        html_format(html, "&#%d;", *string++);
        }
}

void html_duration(struct html *html, uint64_t ms)
{
        char text[FIGURE_MAX];

        html_put(html, figure_duration(ms, text));
}

void html_microseconds(struct html *html, uint64_t us)
{
        char text[FIGURE_MAX];

        html_put(html, figure_microseconds(us, text));
}

void html_size(struct html *html, uint64_t bytes)
{
        char text[FIGURE_MAX];

        html_put(html, figure_size(bytes, text));
}

void html_rate(struct html *html, double per_second)
{
        char text[FIGURE_MAX];

        html_put(html, figure_rate(per_second, text));
}
