/* HTML that is being written. The first error is kept, and what comes after it is left out.
 *
 * Called by web/page and its parts. What must stay true: text from outside comes in by html_text() alone. */
#pragma once

#include <stdint.h>

struct text;

struct html {
        struct text *text; /* borrowed */
        int r;             /* 0 or -ENOMEM */
};

/* Markup of our own. */
void html_put(struct html *html, const char *markup);
void html_format(struct html *html, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text from outside, which may contain anything, between tags or in a quoted attribute. */
void html_text(struct html *html, const char *string);

/* The number as it is shown by preforkctl, such as 1.2ms. */
void html_duration(struct html *html, uint64_t ms);
void html_microseconds(struct html *html, uint64_t us);
void html_size(struct html *html, uint64_t bytes);
void html_rate(struct html *html, double per_second);
