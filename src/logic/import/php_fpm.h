/* Pools of php-fpm, served by php-cgi: the table of directives, and what the pools become. Called by `import`. */
#pragma once

#include "base/words.h"
#include "logic/import/import_row.h"
#include "logic/import/input.h"

extern const struct import_row php_fpm_rows[];
extern const size_t php_fpm_row_count;

int php_fpm_convert(struct draft *draft, const struct import_input *input);

/* Add the patterns of files that the source includes. 0 or -ENOMEM. */
int php_fpm_includes(const struct import_source *source, struct words *patterns);
