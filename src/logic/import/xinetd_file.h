/* The syntax of xinetd.conf(5): `defaults` and services as lists of attributes, and the files that it includes. Called
 * by `xinetd`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/words.h"
#include "logic/import/lines.h"

struct xinetd_attribute {
        char *name;
        char operation; /* '=', '+' (+=) or '-' (-=) */
        char *value;
        const char *file;
        unsigned line;
};

struct xinetd_block {
        char *service; /* NULL: defaults */
        const char *file;
        unsigned line;
        struct xinetd_attribute *attributes;
        size_t count;
};

struct xinetd_file {
        struct xinetd_block *blocks;
        size_t count;
        struct text unread; /* lines that are no xinetd, each with its place */
};

/* Add what the source says; zero-initialise the file before the first, end with xinetd_file_clear(). The names of
 * sources must stay. 0 or -ENOMEM. */
int xinetd_file_read(struct xinetd_file *file, const struct import_source *source);

void xinetd_file_clear(struct xinetd_file *file);

/* Add the files and directories that the source includes. 0 or -ENOMEM. */
int xinetd_file_includes(const struct import_source *source, struct words *files, struct words *directories);

/* True if xinetd reads a file of that name in a directory that is included. */
bool xinetd_file_is_read(const char *name);
