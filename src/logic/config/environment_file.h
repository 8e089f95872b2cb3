/* The text of an environment file, as systemd reads that of EnvironmentFile= (systemd.exec(5)). Pure.
 *
 * Called by master/config/config_environment. What must stay true: a value is in no problem, because it is a secret. */
#pragma once

#include <stddef.h>

struct problem_list;
struct words;

/* Append the variables of `bytes` (a whole file, named `file` in problems) to *ret, NAME=VALUE each, in their order; a
 * name may be there several times. What is no variable, and what cannot be one for a handler, is a problem. 0 or
 * -ENOMEM. */
int environment_file_parse(const char *file, const char *bytes, size_t length, struct words *ret,
                           struct problem_list *problems);
