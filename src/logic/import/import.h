/* The importers: files of other programs into a configuration of preforkd, by a table of directives a format.
 *
 * Pure: the texts of files in, a configuration out. Called by preforkctl import. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "logic/import/import_row.h"
#include "logic/import/input.h"

struct import_format {
        const char *name;
        const char *takes;  /* the arguments of the command */
        const char *sample; /* the name of such a file */
        const struct import_row *rows;
        const size_t *row_count;
        int (*convert)(struct draft *draft, const struct import_input *input); /* 0 or -ENOMEM */
};

extern const struct import_format import_formats[];
extern const size_t import_format_count;

/* The format of that name, or NULL. */
const struct import_format *import_format_find(const char *name);

/* Append the configuration, and say whether somebody has to decide something before all is served as it was. 0 or
 * -ENOMEM. */
int import_convert(const struct import_format *format, const struct import_input *input, struct text *text,
                   bool *ret_undecided);

/* Append the table of the format, a line a directive. 0 or -ENOMEM. */
int import_table(const struct import_format *format, struct text *text);

/* Lists of clients, which become the keys allow and deny. */
struct import_list_format {
        const char *name;
        const char *takes;
};

enum { IMPORT_LIST_TCPRULES, IMPORT_LIST_HOSTS_ACCESS, IMPORT_LIST_COUNT };

extern const struct import_list_format import_list_formats[IMPORT_LIST_COUNT];

/* Append the keys that the sources make: of tcprules, one; of hosts-access, hosts.allow and hosts.deny, for the program
 * `daemon`. Says whether a rule was lost, by which nobody comes in. 0 or -ENOMEM. */
int import_list_convert(size_t format, const char *daemon, const struct import_source *sources, size_t count,
                        struct text *text, bool *ret_undecided);

/* True if the text of hosts.allow or hosts.deny has a rule. */
bool import_has_rules(const struct import_source *source);
