/* Files of sections with keys, as systemd and php-fpm have them: every key with its section, in the order of the files.
 * Called by `systemd` and `php_fpm`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "logic/import/input.h"

struct section_item {
        char *section; /* "" in front of the first */
        char *key;
        char *value;
        const char *file;
        unsigned line;
};

/* Zero-initialise; end with sections_clear(). */
struct sections {
        struct section_item *items;
        size_t count;
        struct text unread; /* lines that are no such, each with its place */
};

/* Add what the source says. `marks` begin comments; `joins`: a line that ends in a backslash goes on. 0 or -ENOMEM. */
int sections_read(struct sections *sections, const struct import_source *source, const char *marks, bool joins);

void sections_clear(struct sections *sections);
