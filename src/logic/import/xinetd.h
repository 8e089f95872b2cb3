/* Services of xinetd.conf(5): the table of attributes, and what the services become. Called by `import`. */
#pragma once

#include <stdbool.h>

#include "logic/import/import_row.h"
#include "logic/import/input.h"

extern const struct import_row xinetd_rows[];
extern const size_t xinetd_row_count;

int xinetd_convert(struct draft *draft, const struct import_input *input);

/* Lists know += and -=, and may be set again. */
bool xinetd_is_list(const char *attribute);

/* Does xinetd take the attribute of `defaults`? */
bool xinetd_is_of_defaults(const char *attribute);
