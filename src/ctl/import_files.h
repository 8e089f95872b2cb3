/* The files of another program, read for an import. */
#pragma once

#include "base/problem.h"
#include "base/words.h"
#include "logic/import/lines.h"

/* Zero-initialise; end with import_files_clear(). */
struct import_files {
        struct import_source *list;
        size_t count;
        struct words names; /* what the list points to */
        struct text *texts;
        struct problem_list problems; /* files that cannot be read */
};

/* Read one file. 0 (also if it cannot be read, which is a problem) or -ENOMEM. */
int import_files_read(struct import_files *files, const char *path);

/* The same for a file that need not be there. */
int import_files_read_if_there(struct import_files *files, const char *path);

/* Read xinetd's files: a file and all that it includes, or all of a directory. 0 or -ENOMEM. */
int import_files_read_xinetd(struct import_files *files, const char *path);

/* The same for php-fpm's files. */
int import_files_read_php_fpm(struct import_files *files, const char *path);

/* Read a socket unit with its drop-ins and its service: a path, or a name that is looked for where systemd looks. 0 or
 * -ENOMEM. */
int import_files_read_systemd(struct import_files *files, const char *name);

/* Take the words themselves as the source: a command line, or its words. 0 or -ENOMEM. */
int import_files_take(struct import_files *files, const char *name, const struct words *words);

void import_files_clear(struct import_files *files);
