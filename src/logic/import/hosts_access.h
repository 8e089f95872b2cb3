/* hosts.allow and hosts.deny, which libwrap reads. */
#pragma once

#include "logic/import/input.h"

struct rule_list;

/* Add the rules that are about the program `daemon`; either file may be empty. */
void hosts_access_convert(struct rule_list *list, const char *daemon, const struct import_source *allow,
                          const struct import_source *deny);
