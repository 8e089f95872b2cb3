/* One typed value: how an option's text becomes a field, how the field is written, compared and freed.
 *
 * Everything that differs between types is in one table of operations (option_types.h); the parser, the printer, the
 * reload diff and config_clear() call it and do not depend on types. `base` is the struct that the option's offset
 * counts from: a struct pool_config for rows of pool_options, a struct master_config for rows of master_options.
 * Options that are not built have no field; only option_value_expectation() may be called for them. */
#pragma once

#include <stdbool.h>

#include "logic/config/schema.h"

struct text;

/* Parse `string` into the field. 0; -EINVAL: refused, the field is left alone and `error` says why, without the
 * option's name: `"abc" is not a number; expected a whole number from 1 to 65000`; -ENOMEM. */
int option_value_parse(const struct option *option, void *base, const char *string, struct text *error);

/* Append the value as a file would write it, on one line however long ("" for unset). 0 or -ENOMEM. */
int option_value_print(const struct option *option, const void *base, struct text *text);

/* True if values of the option are for few eyes: they are kept in a secret, and not quoted in problems. */
bool option_value_is_secret(const struct option *option);

/* The same as option_value_print() without the values of variables, if the option is secret: `NAME=*** …`. */
int option_value_print_masked(const struct option *option, const void *base, struct text *text);

/* Append what values the option takes: "a whole number from 1 to 65000". 0 or -ENOMEM. */
int option_value_expectation(const struct option *option, struct text *text);

bool option_value_equal(const struct option *option, const void *a, const void *b);

/* Free what the field owns and make it unset or zero. */
void option_value_clear(const struct option *option, void *base);

/* Append `string` in double quotes, cut with "…" when it is long: values in problems. 0 or -ENOMEM. */
int option_quote_excerpt(struct text *text, const char *string);

/* True if the option's value is the same in both pools. */
bool pool_option_equal(const struct pool_config *a, const struct pool_config *b, enum pool_option option);
