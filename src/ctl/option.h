/* Options on preforkctl's command line. */
#pragma once

#include <stdbool.h>

/* The value of `-sVALUE`, `-s VALUE`, `--socket=VALUE` or `--socket VALUE`, if the argument at *at is that option; *at
 * moves to its last word. `short_name` may be NULL. *ret_value is borrowed from the arguments, NULL where it is
 * missing. */
bool ctl_option_take(char *const *arguments, int *at, const char *short_name, const char *long_name,
                     const char **ret_value);
