/* A line of text in memory of the caller, built without a call of libc: for records and variables that the preload
 * object writes inside of strange programs.
 *
 * What must stay true: the text ends with a NUL, and what does not fit is left out. Async-signal-safe. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct line {
        char *text; /* not owned */
        size_t size;
        size_t length;
};

/* Begin with an empty text in `size` ≥ 1 bytes at `text`. */
struct line line_begin(char *text, size_t size);

/* Append. `string` NULL: nothing. */
void line_add(struct line *line, const char *string);
void line_add_bytes(struct line *line, const char *bytes, size_t length);

/* Append a number, in decimal or in hexadecimal digits. */
void line_add_number(struct line *line, uint64_t number);
void line_add_hex(struct line *line, uint64_t number);
