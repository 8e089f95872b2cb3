/* Decimal numbers read from text: of the kernel, and of variables of the environment. Unlike base/number it calls
 * nothing, because the preload object uses it inside of strange programs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Read the digits at *text, after blanks, and move *text past them. False: there are none, or the number needs more
 * than 64 bits; *text is left alone. */
bool decimal_next(const char **text, uint64_t *ret);

/* The whole of `text` is one number of at most `most`. */
bool decimal_parse(const char *text, uint64_t most, uint64_t *ret);
