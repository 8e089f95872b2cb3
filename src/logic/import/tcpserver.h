/* A command line of tcpserver(1): the table of its options, and what it becomes. Called by `import`. The source is the
 * command line, quoted as for a shell. */
#pragma once

#include "logic/import/import_row.h"
#include "logic/import/input.h"

extern const struct import_row tcpserver_rows[];
extern const size_t tcpserver_row_count;

int tcpserver_convert(struct draft *draft, const struct import_input *input);
