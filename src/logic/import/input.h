/* What an importer reads: the texts of files, and what it has to know of the machine that they are from. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct import_source {
        const char *name; /* of the file */
        const char *bytes;
        size_t length;
};

struct import_input {
        const struct import_source *sources; /* the files in the order in which the program reads them */
        size_t count;
        struct import_source services; /* the text of services(5), for ports with a name */
        bool wrapped;                  /* hosts.allow or hosts.deny have rules, which libwrap applies */
};
