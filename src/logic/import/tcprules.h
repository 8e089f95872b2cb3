/* The text from which tcprules makes the rules of tcpserver -x. */
#pragma once

#include "logic/import/input.h"

struct rule_list;

/* Add the rules of a file. */
void tcprules_convert(struct rule_list *list, const struct import_source *source);
