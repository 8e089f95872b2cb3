/* Numbers with units, as they are written in a configuration: parsed strictly, printed so that they parse back.
 *
 * Every parser takes the whole string or nothing: no sign, no surrounding space, no trailing text. On success stores in
 * *ret and returns 0; -EINVAL: not of that form; -ERANGE: of that form, but more than fits. *ret is left alone on
 * failure. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct text;

int number_parse(const char *string, uint64_t *ret);                  /* decimal digits */
int number_parse_octal(const char *string, mode_t *ret);              /* octal digits, at most 07777 */
int number_parse_duration_ms(const char *string, uint64_t *ret_ms);   /* `500ms` `30s` `5m` `1h30m`; bare: seconds */
int number_parse_size_bytes(const char *string, uint64_t *ret_bytes); /* bytes, or with K M G T (powers of 1024) */
int number_parse_percent(const char *string, uint64_t *ret_percent);  /* `25%`; the % is required */

/* Read the next number of a line such as the kernel writes: after blanks, and up to a blank, a newline or the end.
 * Moves *line past it; leaves both alone on failure, and fails like the parsers above. */
int number_next(const char **line, uint64_t *ret);

/* Append the shortest exact form, which the parser above reads back to the same value. 0 or -ENOMEM. */
int number_format_duration_ms(struct text *text, uint64_t ms);
int number_format_size_bytes(struct text *text, uint64_t bytes);
