/* Services of inetd.conf(5), in the syntax of OpenBSD, FreeBSD and inetutils: what becomes of its fields. Called by
 * `import`. */
#pragma once

#include "logic/import/import_row.h"
#include "logic/import/input.h"

extern const struct import_row inetd_rows[];
extern const size_t inetd_row_count;

int inetd_convert(struct draft *draft, const struct import_input *input);
