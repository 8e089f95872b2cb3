/* The INI writer: the counterpart of ini_reader, which reads back exactly what was written.
 *
 * Decides where a long value is wrapped: between words, never inside one. Called by config_print. */
#pragma once

#include "logic/config/ini_reader.h"

struct text;

/* Append `key = value`, on as many lines as it takes. `value` is made of words that words_quote() wrote, separated by
 * one blank, without control characters but tab. 0, -EINVAL (not such words) or -ENOMEM. */
int ini_write_value(struct text *text, const char *key, const char *value);

/* Append the directive that gives the next line a place. 0 or -ENOMEM. */
int ini_write_line_directive(struct text *text, struct ini_place place);
