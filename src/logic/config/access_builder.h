/* Makes the table in which workers look clients up (base/access_table) of a list of access rules. Pure.
 *
 * Called when a configuration is complete. */
#pragma once

#include <stdbool.h>

#include "base/access_table.h"
#include "logic/config/access_rules.h"

/* The table, of which the caller frees the memory with free(). `is_closed`: who has no rule is refused. Of two rules
 * for the same clients the one that denies counts. 0 or -ENOMEM. Takes time n·log n. */
int access_table_build(const struct access_rules *rules, bool is_closed, struct access_table **ret);

/* True if both say the same of every client. Either may be NULL, which is equal to NULL alone. */
bool access_table_equal(const struct access_table *a, const struct access_table *b);
