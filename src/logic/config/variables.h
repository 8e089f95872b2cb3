/* The variables of an environment: names, and lists of them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct words;

/* The length of the name that the string begins with, 0: none; a name has letters, digits and underscores, and no digit
 * first. */
size_t variables_name_length(const char *string);

/* True if both NAME=VALUE have the same name. */
bool variables_same_name(const char *a, const char *b);

/* True if handlers never get `variable` (a name, or NAME=VALUE) of preforkd's own environment, because the service
 * manager set it for preforkd. */
bool variables_are_withheld(const char *variable);

/* Append to *ret, in their order, the variables of `all` that count: the last of each name. 0 or -ENOMEM. */
int variables_keep_last(const struct words *all, struct words *ret);
