/* The effective configuration as text: every option of every pool, with the values that hold, in canonical form.
 *
 * What `preforkd -T` prints, and what the configuration child hands to the master. Reading it back gives an equal
 * configuration (a property the unit tests check). An option that has no effect in its pool (tcp_nodelay without a TCP
 * socket) and holds its default is left out, so that the text can be used as a file without a warning. */
#pragma once

#include <stdbool.h>

#include "logic/config/config.h"

struct text;

/* Append the whole configuration. With `with_origins`, `#line N "FILE"` directives let config_parse_canonical() report
 * problems at the places of the original files and tell defaults (`#line 0`) from what was set, and which directories
 * are meant and what auto stands for is written, too. Without, comments say what auto stands for. 0 or -ENOMEM. */
int config_print(const struct config *config, bool with_origins, struct text *text);

/* The same without origins, for people: before each option of a pool that has another value in `configured` (whose
 * pools are those of `config`, in their order) a comment says which. `masked`: without the values of variables, which a
 * comment says, too. 0 or -ENOMEM. */
int config_print_overlaid(const struct config *config, const struct config *configured, bool masked, struct text *text);

/* Append the value of one option as the configuration would write it ("" for unset). 0 or -ENOMEM. */
int config_print_pool_value(const struct pool_config *pool, enum pool_option option, struct text *text);

/* Append the reference of every option (--help-config): name, default, help, values, type, reload
 * effect. 0 or -ENOMEM. */
int config_print_help(struct text *text);
