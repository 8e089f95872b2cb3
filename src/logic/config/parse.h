/* Parsing and completing a configuration. Pure: text in, struct config and problems out.
 *
 * Called by the configuration child (on the files) and by the master (on the canonical text the child hands back).
 * Everything that is wrong is reported, not only the first thing; problems carry the file and line of the value. */
#pragma once

#include <stddef.h>

#include "logic/config/config.h"

/* Add what `bytes` (a whole file, named `file` in problems) says to `config`. Sections with the name of an already
 * known pool, duplicate keys, unknown keys (with a suggestion), bad values, keys that are not built yet, and bad lines
 * are problems. [preforkd] may stand in several files and more than once, as in systemd's drop-ins: all of
 * them are one section, and a key that is set twice in it is a duplicate. A value that is refused leaves its field
 * alone and marks its origin. Returns 0, or -ENOMEM; a return of 0 says nothing about problems. */
int config_parse(struct config *config, const char *file, const char *bytes, size_t length,
                 struct problem_list *problems);

/* The same for text that config_print() wrote with origins: values get the places that its `#line` directives name,
 * and those at line 0 count as not set. Unknown keys are warnings: the writer may be a newer program. */
int config_parse_canonical(struct config *config, const char *bytes, size_t length, struct problem_list *problems);

/* A whole configuration from such text. 0: *ret is it (the caller ends it by config_clear() and free()), or is
 * left alone if `problems` refuse. -ENOMEM. Warnings of config_finish() are left out: they were given when the text was
 * written. */
int config_from_canonical(const char *bytes, size_t length, const struct config_context *context, struct config **ret,
                          struct problem_list *problems);

/* Set one option of the command-line form, a pool's or the master's; `key` with dashes or underscores (`max-workers`
 * and `max_workers` are one), without leading dashes. The first key of a pool creates the pool "main". A value is
 * quoted as in a file (a handler's argv goes through words_join()). Problems have no file and name the option
 * `--max-workers`. 0 or -ENOMEM. */
int config_parse_option(struct config *config, const char *key, const char *value, struct problem_list *problems);

/* Fill in defaults, fit the keys that were left unset to those that are set, and check every cross-key rule. Call it
 * once, after all files, even if there were problems, to find the rest of them. A configuration without a pool is no
 * problem here: the caller decides what "nothing to serve" means. Rules about accounts look at resolved ids, so names
 * must have been resolved before. 0 or -ENOMEM. */
int config_finish(struct config *config, const struct config_context *context, struct problem_list *problems);
