/* Text that grows: the one string builder of the project.
 *
 * `struct text` owns its bytes; zero-initialise it and end it with text_clear() (or `_cleanup_(text_clear)`). The bytes
 * are NUL-terminated once anything was appended. Memory is wiped before it is freed (base/secret). */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
        char *bytes; /* NULL until the first append; see text_string() */
        size_t length;
        size_t capacity;
};

static inline bool text_equal(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

static inline bool text_starts_with(const char *string, const char *prefix)
{
        return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* What follows the last slash of a path; all of it if there is none. */
static inline const char *text_base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* The bytes as a string; "" when nothing was appended. Valid until the next change. */
static inline const char *text_string(const struct text *text)
{
        return text->bytes ? text->bytes : "";
}

/* Length of the longest prefix that is valid UTF-8 and free of control characters (tab is allowed): what may be shown
 * to people and written to a line of a file. `length` itself if all of it is. */
size_t text_printable_length(const char *bytes, size_t length);

/* Append. Return 0, or -ENOMEM with the text unchanged. */
int text_append(struct text *text, const char *string);
int text_append_bytes(struct text *text, const char *bytes, size_t length);
int text_append_number(struct text *text, uint64_t number); /* in a fraction of printf(3)'s time */
int text_appendf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
int text_appendv(struct text *text, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Append the bytes, cut after 80 with "…": for quotes in problems. 0, or -ENOMEM with the text unchanged. */
int text_append_excerpt(struct text *text, const char *bytes, size_t length);

/* Cut the text down to its first `length` bytes; it has at least as many. */
void text_cut(struct text *text, size_t length);

/* Empty the text but keep its memory for the next use. */
void text_truncate(struct text *text);

/* Hand the string to the caller, who frees it; the text is empty afterwards. NULL if out of memory. */
char *text_take(struct text *text);

/* Free everything; the text may be used again. */
void text_clear(struct text *text);
