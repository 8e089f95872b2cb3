/* Advice: what people most likely meant by a value that is refused, in a sentence of its own. Pure; used by the types
 * of options when they word their errors. Each function appends nothing if it has nothing to say. */
#pragma once

#include "logic/config/schema.h"

struct text;
struct words;

/* `30 s`, `10 MB`, `90sec`: numbers whose unit is written otherwise here. 1: appended `…; expected 30s`; 0; -ENOMEM. */
int advice_about_unit(enum option_type type, const char *value, struct text *text);

/* A word that is no listen address: a lone port, a list with commas, another program's form. 1, 0 or -ENOMEM. */
int advice_about_address(const char *word, struct text *text);

/* A command that only a shell would understand: `value` as it was written, and the words of it. 1, 0 or -ENOMEM. */
int advice_about_command(const char *value, const struct words *words, struct text *text);

/* Quotes of a word processor, which are no quotes here; NULL: there is none. */
const char *advice_find_smart_quote(const char *value);
