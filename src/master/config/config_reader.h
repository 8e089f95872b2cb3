/* Reads a configuration, including everything that may block: files, directories, user look-ups. It is called by the
 * configuration child and by `preforkd -t` and `-T`, never by the master itself. */
#pragma once

#include "logic/config/config.h"

/* Where the configuration comes from: a file (with pools.d beside it), or the options of the command-line form. */
struct config_source {
        const char *file;           /* NULL: the command-line form */
        const char *const *options; /* key, value, key, value …, NULL */
        bool is_test;               /* nobody will open its listeners: what can be foreseen of that is checked, too */
};

/* What the rules depend on in this process; problems name files and lines. */
struct config_context config_reader_context(void);

/* Read the source (a file, then pools.d/<name>.conf beside it in the order of their names; or the command line's
 * options), resolve users and groups to ids, complete environments, check every rule, and
 * whether this machine permits it. All problems are reported; *ret is owned by the caller and complete only if none
 * refuses. 0 or -ENOMEM. */
int config_read(const struct config_source *source, struct config *ret, struct problem_list *problems);
